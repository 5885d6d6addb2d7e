/**
 * Lets an agent see folders of its sandbox at absolute paths, in a mount namespace of its own: packages
 * can be tested that install to `/usr/local/bin`, and the machine sees nothing of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import type { Sandbox } from './sandbox.ts';

/** Root, or whoever may be root of a user namespace. */
const UNSHARE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  ...['--mount', '--propagation', 'private'],
];

/** Node may itself lie in one of the folders that are covered, so it gets a place beside them. */
const ENTER = `
set -eu
dir=$1 folders=$2 node=$3
shift 3
mount --bind "$node" "$dir/node"
for folder in $folders; do mount --bind "$dir/root/$folder" "/$folder"; done
exec "$dir/node" "$@"
`;

/** Whether this machine lets its user do that. */
export function canMountPrivately(): boolean {
  try {
    execFileSync(UNSHARE[0] as string, [...UNSHARE.slice(1), 'mount', '-t', 'tmpfs', 'x', '/mnt'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** @param folders below the root, that exist on this machine, too: `usr/local/bin` */
export async function coverFolders(device: Sandbox, folders: string[]): Promise<void> {
  for (const folder of folders) await mkdir(device.root(folder), { recursive: true });
  await writeFile(`${device.dir}/node`, '');
  device.prefix = [...UNSHARE, 'sh', '-c', ENTER, 'enter', device.dir, folders.join(' ')];
}
