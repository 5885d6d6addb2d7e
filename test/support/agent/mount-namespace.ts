/**
 * Lets an agent see folders of its sandbox at absolute paths, in a mount namespace of its own: packages
 * can be tested that install to `/usr/local/bin`, and the machine sees nothing of it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
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

export interface SmallDisk {
  /** Bytes free on it. */
  free: () => Promise<number>;
  /** Runs a shell script on it, with `$STATE`, the state folder; its output. */
  run: (script: string) => Promise<string>;
  end: () => Promise<void>;
}

/**
 * Puts the device's state folder on a disk of its own, a tmpfs of that size, in a mount namespace that a
 * sleeping process keeps alive; every agent of the device enters it.
 * @param folder of the device; the root stays where it is unless it lies in there
 */
export async function onSmallDisk(
  device: Sandbox,
  bytes: number,
  folder = device.state(),
): Promise<SmallDisk> {
  const state = device.state();
  const script = `
set -eu
mkdir "$1.kept" && cp -a "$1/." "$1.kept/"
mount -t tmpfs -o size=$2 small "$1"
cp -a "$1.kept/." "$1/"
echo ready
exec sleep 600
`;
  const keeper = spawn(
    UNSHARE[0] as string,
    [...UNSHARE.slice(1), 'sh', '-c', script, 'small', folder, String(bytes)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(keeper.stdout, 'data');
  const enter = ['nsenter', '--mount', '--target', String(keeper.pid), '--'];
  device.prefix = enter;
  const inside = (script_: string): string =>
    execFileSync(enter[0] as string, [...enter.slice(1), 'sh', '-c', script_], {
      env: { ...process.env, STATE: state },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  return {
    free: () => Promise.resolve(Number(inside('df --output=avail -B1 "$STATE" | tail -1'))),
    run: (script_) => Promise.resolve(inside(script_)),
    end: async () => {
      const ended = once(keeper, 'exit');
      keeper.kill('SIGKILL');
      await ended;
    },
  };
}
