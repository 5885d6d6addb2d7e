/**
 * A copy of `snapshot_paths`: contents, modes, owners, times, symbolic links as links, and which paths are
 * absent. The index is written last: a snapshot with an index is complete.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  errorCode,
  readIfPresent,
  removeDurable,
  syncDirectory,
  writeDurable,
} from '../../files/durable-file.ts';
import { mountPoints, placeOf, placesOf } from '../../files/mounts.ts';
import { removeTree, requireRemoved } from '../../files/remove-tree.ts';
import { isDiskFull } from '../../files/reserve.ts';
import { NoSpace, requireRoom } from '../../files/room.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { type ExtendedAttributes, readExtended } from './extended-attributes.ts';

export type TreeEntry =
  | { type: 'absent' }
  | ({
      type: 'file';
      blob: string;
      size: number;
      /** The file is a mount point, which cannot be replaced by renaming. */
      mounted?: true;
    } & Attributes)
  | ({ type: 'symlink'; target: string } & Attributes)
  | ({ type: 'folder'; children: Record<string, TreeEntry> } & Attributes)
  /** Sockets, pipes, devices: left alone. */
  | { type: 'special' };

export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  /** Milliseconds since 1970, with a fraction. */
  mtime: number;
}

/** Which attempt a snapshot belongs to; enough to roll back even when the journal is lost. */
export interface SnapshotOwner {
  run_id: string;
  deployment_id: string;
  attempt: number;
  /** Missing: the main product. */
  component?: string;
  /** The version in the snapshot. */
  previous_version: string | null;
  target_version: string;
}

export interface SnapshotIndex {
  format: 1;
  owner: SnapshotOwner;
  roots: { path: string; entry: TreeEntry }[];
  /** `null`: no program on this device can read them; missing: snapshot of an older agent. */
  extended?: ExtendedAttributes | null;
}

const INDEX = 'index.json';
const COMMITTED = 'committed';

/**
 * Resolves when the snapshot is complete and on disk.
 * @param paths absolute
 * @throws {StepFailure}
 */
export async function takeSnapshot(
  dir: string,
  paths: string[],
  owner: SnapshotOwner,
  signal: AbortSignal,
): Promise<void> {
  try {
    await requireRemoved(dir);
    const blobs = join(dir, 'files');
    await mkdir(blobs, { recursive: true, mode: 0o700 });
    const copier = new TreeCopier(blobs, await mountPoints(), signal);
    const roots: SnapshotIndex['roots'] = [];
    for (const path of paths) {
      roots.push({ path, entry: await copier.copy(await placeOf(path)) });
    }
    await syncDirectory(blobs);
    const extended = await readExtended(await placesOf(paths));
    const index: SnapshotIndex = { format: 1, owner, roots, extended };
    await writeDurable(join(dir, INDEX), JSON.stringify(index));
    await syncDirectory(join(dir, '..'));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const Fault = error instanceof NoSpace || isDiskFull(error) ? NoSpace : StepFailure;
    throw new Fault(
      `The current state could not be saved, so nothing was installed: ${messageOf(error)}`,
    );
  }
}

/** `null` when there is no complete snapshot. */
export async function readSnapshot(dir: string): Promise<SnapshotIndex | null> {
  const text = await readIfPresent(join(dir, INDEX));
  if (text === null) return null;
  try {
    const index = JSON.parse(text) as SnapshotIndex;
    return index.format === 1 ? index : null;
  } catch {
    return null;
  }
}

/** The new version stays: from now on the snapshot is only for a requested rollback. */
export async function markCommitted(dir: string): Promise<void> {
  await writeDurable(join(dir, COMMITTED), '');
}

/** A requested rollback begins: recovery has to restore the snapshot again. */
export async function unmarkCommitted(dir: string): Promise<void> {
  await removeDurable(join(dir, COMMITTED));
}

export async function isCommitted(dir: string): Promise<boolean> {
  return (await readIfPresent(join(dir, COMMITTED))) !== null;
}

/**
 * The index is removed first, so that a partly removed snapshot never counts as complete.
 * @returns what could not be removed
 */
export async function removeSnapshot(dir: string): Promise<string[]> {
  try {
    await removeDurable(join(dir, INDEX));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') return [messageOf(error)];
  }
  return removeTree(dir);
}

export function attributesOf(found: {
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
}): Attributes {
  return { mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, mtime: found.mtimeMs };
}

class TreeCopier {
  #next = 1;

  constructor(
    private readonly blobs: string,
    private readonly mounts: string[],
    private readonly signal: AbortSignal,
  ) {}

  async copy(path: string): Promise<TreeEntry> {
    this.signal.throwIfAborted();
    let found;
    try {
      found = await lstat(path);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return { type: 'absent' };
      throw error;
    }
    const attributes = attributesOf(found);
    if (found.isSymbolicLink()) {
      return { type: 'symlink', target: await readlink(path), ...attributes };
    }
    if (found.isDirectory()) {
      const children: Record<string, TreeEntry> = Object.create(null) as Record<string, TreeEntry>;
      for (const name of (await readdir(path)).sort()) {
        const entry = await this.copy(join(path, name));
        if (entry.type !== 'absent') children[name] = entry;
      }
      return { type: 'folder', children, ...attributes };
    }
    if (!found.isFile()) return { type: 'special' };
    const blob = String(this.#next++).padStart(8, '0');
    const copy = join(this.blobs, blob);
    await requireRoom(this.blobs, found.size, 'the copy of what is installed');
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    const handle = await open(copy, 'r+');
    try {
      await handle.chmod(0o600);
      await handle.sync();
      const { size } = await handle.stat();
      const mounted = this.mounts.includes(path) ? { mounted: true as const } : {};
      return { type: 'file', blob, size, ...mounted, ...attributes };
    } finally {
      await handle.close();
    }
  }
}
