/** The files of the folder a package is made from. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findScript, scriptFileFault } from '../package/install-script.ts';
import { messageOf } from '../kernel/errors.ts';

export interface TreeEntry {
  /** Below the folder, with `/`. */
  path: string;
  isFolder: boolean;
  /** Bytes; 0 for a folder. */
  size: number;
  executable: boolean;
  /** Contents of a file that `ota pack` adds; left out: it is in the folder. */
  content?: string;
}

export interface Tree {
  entries: TreeEntry[];
  /** Why it cannot be packed. */
  faults: string[];
  /** Metadata files of macOS. */
  leftOut: string[];
}

/** Files in which macOS keeps extended attributes and folder views. */
const OF_MACOS = /^(\._.*|\.DS_Store|__MACOSX)$/;

/**
 * Every file and folder, parents first, sorted by the bytes of their paths, so that the order is the same on
 * every machine; and everything that cannot be packed.
 */
export async function listTree(folder: string): Promise<Tree> {
  const entries: TreeEntry[] = [];
  const faults: string[] = [];
  const leftOut: string[] = [];
  async function visit(below: string): Promise<void> {
    for (const bytes of await readdir(join(folder, below), { encoding: 'buffer' })) {
      const name = bytes.toString();
      const path = below ? `${below}/${name}` : name;
      if (!Buffer.from(name).equals(bytes)) {
        faults.push(`${path}: the name is not UTF-8; rename it`);
        continue;
      }
      if (OF_MACOS.test(name)) {
        leftOut.push(path);
        continue;
      }
      const found = await lstat(join(folder, path)).catch((error: unknown) => {
        faults.push(`${path}: ${messageOf(error)}`);
        return null;
      });
      if (!found) continue;
      if (found.isDirectory()) {
        entries.push({ path, isFolder: true, size: 0, executable: true });
        await visit(path);
      } else if (found.isFile()) {
        const executable = (found.mode & 0o100) !== 0;
        entries.push({ path, isFolder: false, size: found.size, executable });
      } else {
        const kind = found.isSymbolicLink() ? 'a symbolic link' : 'a device, socket or pipe';
        faults.push(`${path} is ${kind}; packages contain files and folders only`);
      }
    }
  }
  await visit('');
  const script = entries.find(({ path, isFolder }) => path === 'install.sh' && !isFolder);
  if (script) {
    const fault = await scriptFileFault(join(folder, script.path));
    if (fault !== null) faults.push(fault);
  } else faults.push(await missingScript(folder));
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { entries, faults: faults.sort(), leftOut: leftOut.sort() };
}

async function missingScript(folder: string): Promise<string> {
  const below = await findScript(folder, '');
  const hint = below === null ? '' : `; ${join(folder, below)} has one: pack that folder`;
  return `install.sh, the script that devices run, is missing at the root${hint}`;
}
