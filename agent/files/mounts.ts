/** Mount points: what is below is not the agent's, and a mount point cannot be renamed over. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isInside } from './is-inside.ts';
import { withoutOctalEscapes } from './octal-escapes.ts';

export interface Mount {
  /** Without symbolic links on the way. */
  point: string;
  /** Nothing can be written to it: it was mounted so, or the kernel gave up on a damaged file system. */
  readOnly: boolean;
}

/** Empty where they are unknown (no /proc). */
export async function readMounts(): Promise<Mount[]> {
  return mountsIn(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
}

export async function mountPoints(): Promise<string[]> {
  return (await readMounts()).map(({ point }) => point);
}

/**
 * Pure.
 * @param mountinfo see proc_pid_mountinfo(5): the fifth field is the mount point, with blanks and the like as
 * `\\040`, the sixth its options, and the last one those of the file system
 */
export function mountsIn(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const point = fields[4];
    if (!point) return [];
    const options = [...(fields[5] ?? '').split(','), ...(fields.at(-1) ?? '').split(',')];
    return [{ point: withoutOctalEscapes(point), readOnly: options.includes('ro') }];
  });
}

/** The mounts that the paths are on, and those below them; of several at one point, the one on top. */
export async function mountsOf(paths: string[], mounts: Mount[]): Promise<Mount[]> {
  const visible = [...new Map(mounts.map((mount) => [mount.point, mount])).values()];
  const places = await Promise.all(paths.map((path) => realpath(path).catch(() => placeOf(path))));
  const holding = places.flatMap((place) => {
    const above = visible.filter(({ point }) => isInside(place, point));
    return above.sort((a, b) => b.point.length - a.point.length).slice(0, 1);
  });
  const below = visible.filter(({ point }) => places.some((place) => isInside(point, place)));
  return [...new Set([...holding, ...below])];
}

/** The path with its folder resolved, as mount points are; the last part may be a symbolic link and stays. */
export async function placeOf(path: string): Promise<string> {
  const parent = await realpath(dirname(path)).catch(() => dirname(path));
  return join(parent, basename(path));
}

export function placesOf(paths: string[]): Promise<string[]> {
  return Promise.all(paths.map(placeOf));
}
