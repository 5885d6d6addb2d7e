/**
 * The state of services and file systems, which an update must not make worse: what a device can be checked
 * for without any configuration.
 */
import { statfs } from 'node:fs/promises';
import { type Mount, mountsOf, readMounts } from '../../../files/mounts.ts';
import { readFailingUnits } from './systemctl.ts';

export interface SystemState {
  /** Units that have failed, or wait for their next restart; `null`: systemd does not run here. */
  failing_units: string[] | null;
  /** By mount point. */
  file_systems: Record<string, FileSystemState>;
}

export interface FileSystemState {
  /** No block or no inode is free. */
  full: boolean;
  read_only: boolean;
}

/** @param paths absolute: the file systems that they are on, and those mounted below them */
export async function readSystemState(paths: string[]): Promise<SystemState> {
  const mounts = await mountsOf(paths, await readMounts());
  const states = mounts.map(async (mount) => [mount.point, await stateOf(mount)] as const);
  return {
    failing_units: await readFailingUnits(),
    file_systems: Object.fromEntries(await Promise.all(states)),
  };
}

async function stateOf({ point, readOnly }: Mount): Promise<FileSystemState> {
  // A file system that is gone, or that the agent may not look into, is not full.
  const found = await statfs(point).catch(() => null);
  const full =
    found !== null &&
    ((found.blocks > 0 && found.bavail === 0) || (found.files > 0 && found.ffree === 0));
  return { full, read_only: readOnly };
}

/** Units that fail now and did not before; both as `failing_units`. Pure. */
export function newlyFailing(before: string[] | null, now: string[] | null): string[] {
  if (before === null || now === null) return [];
  const earlier = new Set(before);
  return now.filter((unit) => !earlier.has(unit));
}

/** Everything that is worse than before, each as a sentence without its full stop. Pure. */
export function degradations(before: SystemState, now: SystemState): string[] {
  const failing = newlyFailing(before.failing_units, now.failing_units);
  const units = failing.map((unit) => `unit ${unit} has failed`);
  const silent = before.failing_units !== null && now.failing_units === null;
  const disks = Object.entries(now.file_systems).flatMap(([point, state]) => {
    const earlier = before.file_systems[point] ?? { full: false, read_only: false };
    return [
      ...(state.full && !earlier.full ? [`file system ${point} is full`] : []),
      ...(state.read_only && !earlier.read_only
        ? [`file system ${point} has become read-only`]
        : []),
    ];
  });
  return [...(silent ? ['systemd does not answer'] : []), ...units, ...disks];
}

/** Services that systemd restarted by itself between two looks. Pure. */
export function restartedSince(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): string[] {
  return [...now]
    .filter(([unit, restarts]) => restarts > (before.get(unit) ?? 0))
    .map(([unit]) => `unit ${unit} keeps failing: systemd has restarted it`);
}
