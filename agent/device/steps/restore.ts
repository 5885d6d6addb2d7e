/**
 * Restores the paths of a snapshot. Each file is built beside its path and renamed over it; what is unchanged
 * is not touched. Repeating it continues where a power cut interrupted it. What was mounted since the snapshot
 * is left alone.
 */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  copyFile,
  lchown,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, syncDirectory } from '../../files/durable-file.ts';
import { mountPoints, placeOf, placesOf } from '../../files/mounts.ts';
import { requireRemoved } from '../../files/remove-tree.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { describeLost, restoreExtended } from './extended-attributes.ts';
import { type Attributes, type SnapshotIndex, type TreeEntry, attributesOf } from './snapshot.ts';

const READ_SIZE = 1024 * 1024;
/** Times are set with slightly less precision than the file system has. */
const MTIME_TOLERANCE_MS = 1;
const MAX_FAULTS_NAMED = 5;

/**
 * Continues after a path that cannot be restored, so that as much as possible is restored.
 * @throws {StepFailure} naming what could not be restored
 */
export async function restoreSnapshot(dir: string, index: SnapshotIndex): Promise<void> {
  const faults: string[] = [];
  const restorer = new TreeRestorer(join(dir, 'files'), await mountPoints(), faults);
  for (const { path, entry } of index.roots) await restorer.restoreRoot(path, entry);
  // After the modes: setting the group bits of a mode changes the ACL.
  if (index.extended)
    await restoreExtended(index.extended, await rootsOf(index)).catch(() => undefined);
  if (faults.length > 0) {
    const more =
      faults.length > MAX_FAULTS_NAMED ? ` and ${faults.length - MAX_FAULTS_NAMED} more` : '';
    throw new StepFailure(
      `not everything could be restored: ${faults.slice(0, MAX_FAULTS_NAMED).join('; ')}${more}`,
    );
  }
}

/** One sentence for the report on what could not be restored; empty when everything was. */
export async function describeNotRestored(index: SnapshotIndex): Promise<string> {
  return index.extended === undefined ? '' : describeLost(index.extended, await rootsOf(index));
}

function rootsOf(index: SnapshotIndex): Promise<string[]> {
  return placesOf(index.roots.map(({ path }) => path));
}

class TreeRestorer {
  /** @param faults gets what could not be restored */
  constructor(
    private readonly blobs: string,
    private readonly mounts: string[],
    private readonly faults: string[],
  ) {}

  async restoreRoot(named: string, entry: TreeEntry): Promise<void> {
    await this.#guard(named, async () => {
      if (entry.type !== 'absent') await mkdir(dirname(named), { recursive: true });
      const path = await placeOf(named);
      const parent = dirname(path);
      if (entry.type === 'absent') {
        if ((await statOf(path)) === null) return;
        await requireRemoved(path, this.mounts);
      } else {
        await this.#restore(path, entry);
      }
      await rm(siblingOf(path), { recursive: true, force: true });
      await syncDirectory(parent);
    });
  }

  async #guard(path: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.faults.push(`${path}: ${messageOf(error)}`);
    }
  }

  async #restore(path: string, entry: TreeEntry): Promise<void> {
    const found = await statOf(path);
    switch (entry.type) {
      case 'absent':
      case 'special':
        return;
      case 'file':
        if (found && (await this.#sameFile(path, found, entry))) return;
        return this.#replace(path, found, entry, async (beside) => {
          await copyFile(join(this.blobs, entry.blob), beside, constants.COPYFILE_FICLONE);
        });
      case 'symlink':
        if (found?.isSymbolicLink() && (await readlink(path)) === entry.target) {
          if (sameOwner(found, entry)) return;
        }
        return this.#replace(path, found, entry, (beside) => symlink(entry.target, beside));
      case 'folder':
        return this.#restoreFolder(path, found, entry);
    }
  }

  async #replace(
    path: string,
    found: Stats | null,
    entry: Extract<TreeEntry, { type: 'file' | 'symlink' }>,
    build: (beside: string) => Promise<void>,
  ): Promise<void> {
    if (this.mounts.includes(path)) return this.#rewrite(path, found, entry);
    const beside = siblingOf(path);
    await rm(beside, { recursive: true, force: true });
    await build(beside);
    if (entry.type === 'file') await applyAttributes(beside, entry);
    else {
      await lchown(beside, entry.uid, entry.gid);
      await lutimes(beside, entry.mtime / 1000, entry.mtime / 1000);
    }
    if (found?.isDirectory()) await requireRemoved(path, this.mounts);
    await rename(beside, path);
  }

  /**
   * A mount point cannot be renamed over, so the mounted file is overwritten in place. After an interruption it
   * differs from its copy, and is written again.
   */
  async #rewrite(path: string, found: Stats | null, entry: TreeEntry): Promise<void> {
    if (entry.type !== 'file' || !entry.mounted || !found?.isFile()) {
      throw new Error('something was mounted over it since; unmount it');
    }
    await copyFile(join(this.blobs, entry.blob), path);
    await applyAttributes(path, entry);
  }

  async #restoreFolder(
    path: string,
    found: Stats | null,
    entry: Extract<TreeEntry, { type: 'folder' }>,
  ): Promise<void> {
    if (found && !found.isDirectory()) await rm(path, { force: true });
    if (!found?.isDirectory()) await mkdir(path, { mode: 0o700 });
    for (const name of await readdir(path)) {
      if (!Object.hasOwn(entry.children, name)) {
        await this.#guard(join(path, name), () => requireRemoved(join(path, name), this.mounts));
      }
    }
    for (const [name, child] of Object.entries(entry.children)) {
      await this.#guard(join(path, name), () => this.#restore(join(path, name), child));
    }
    await applyAttributes(path, entry);
  }

  async #sameFile(
    path: string,
    found: Stats,
    entry: Extract<TreeEntry, { type: 'file' }>,
  ): Promise<boolean> {
    return (
      found.isFile() &&
      found.size === entry.size &&
      (found.mode & 0o7777) === entry.mode &&
      sameOwner(found, entry) &&
      Math.abs(attributesOf(found).mtime - entry.mtime) <= MTIME_TOLERANCE_MS &&
      (await digestOf(path)) === (await digestOf(join(this.blobs, entry.blob)))
    );
  }
}

/** Owner before mode: changing the owner clears the setuid bits. */
async function applyAttributes(path: string, to: Attributes): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.chown(to.uid, to.gid);
    await handle.chmod(to.mode);
    await handle.utimes(to.mtime / 1000, to.mtime / 1000);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function siblingOf(path: string): string {
  const name = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return join(dirname(path), `.ota-restore-${name}`);
}

async function statOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function sameOwner(found: Stats, entry: Attributes): boolean {
  return found.uid === entry.uid && found.gid === entry.gid;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(READ_SIZE);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
