/** Mount points: what is below is not the agent's, and a mount point cannot be renamed over. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withoutOctalEscapes } from './octal-escapes.ts';

/** Without symbolic links on the way; empty where they are unknown (no /proc). */
export async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mountPointsIn(text);
}

/**
 * Pure.
 * @param mountinfo see proc_pid_mountinfo(5): the fifth field, with blanks and the like as `\\040`
 */
export function mountPointsIn(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    return point ? [withoutOctalEscapes(point)] : [];
  });
}

/** The path with its folder resolved, as mount points are; the last part may be a symbolic link and stays. */
export async function placeOf(path: string): Promise<string> {
  const parent = await realpath(dirname(path)).catch(() => dirname(path));
  return join(parent, basename(path));
}

export function placesOf(paths: string[]): Promise<string[]> {
  return Promise.all(paths.map(placeOf));
}
