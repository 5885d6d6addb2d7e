import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';

/** A target of the polling device that is unfinished or to be rolled back, with its deployment. */
export interface OpenTarget {
  deploymentId: string;
  status: TargetStatus;
  attempt: number;
  position: number;
  rollbackVersion: string | null;
  deploymentStatus: DeploymentStatus;
  /** Positions below this number are released. */
  releasedDevices: number;
  createdAt: Date;
}

export type PollAnswer<T extends OpenTarget> =
  | { kind: 'rollback'; target: T; version: string }
  | { kind: 'update'; target: T }
  | { kind: 'nothing' };

/**
 * What a device gets when it asks (CONTRACT section 6): a rollback an admin asked for; else the
 * update it has begun, again; else the newest released one. A device has one update at a time, so an
 * update begun under a paused or cancelled deployment keeps others away until it ends.
 */
export function choosePollAnswer<T extends OpenTarget>(targets: readonly T[]): PollAnswer<T> {
  const newestFirst = [...targets].sort(
    (a, b) =>
      b.createdAt.getTime() - a.createdAt.getTime() || (a.deploymentId < b.deploymentId ? 1 : -1),
  );
  for (const target of newestFirst) {
    if (target.rollbackVersion !== null) {
      return { kind: 'rollback', target, version: target.rollbackVersion };
    }
  }
  const begun = newestFirst.find((target) => isBegun(target.status));
  if (begun) return isOffering(begun) ? { kind: 'update', target: begun } : { kind: 'nothing' };
  const released = newestFirst.find((target) => target.status === 'pending' && isOffering(target));
  return released ? { kind: 'update', target: released } : { kind: 'nothing' };
}

function isBegun(status: TargetStatus): boolean {
  return status === 'downloading' || status === 'installing' || status === 'verifying';
}

function isOffering(target: OpenTarget): boolean {
  return target.deploymentStatus === 'in_progress' && target.position < target.releasedDevices;
}
