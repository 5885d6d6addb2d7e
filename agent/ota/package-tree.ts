/** What is in the folder a package is made of. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';

export interface TreeEntry {
  /** Below the folder, with `/`. */
  path: string;
  isFolder: boolean;
  /** Bytes; 0 for a folder. */
  size: number;
  executable: boolean;
}

/**
 * Every file and folder, parents first, in the order of the bytes of their paths, so that it is the
 * same on every machine; and everything that cannot be packed.
 */
export async function listTree(
  folder: string,
): Promise<{ entries: TreeEntry[]; faults: string[] }> {
  const entries: TreeEntry[] = [];
  const faults: string[] = [];
  async function visit(below: string): Promise<void> {
    for (const name of await readdir(join(folder, below))) {
      const path = below ? `${below}/${name}` : name;
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
        faults.push(`${path} is ${kind}; packages hold files and folders only`);
      }
    }
  }
  await visit('');
  const script = entries.find(({ path, isFolder }) => path === 'install.sh' && !isFolder);
  if (!script) faults.push('install.sh, the script that devices run, is missing at the root');
  else if (script.size === 0) faults.push('install.sh is empty');
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { entries, faults: faults.sort() };
}
