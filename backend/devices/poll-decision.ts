import { isSameVersion } from '../contract/version.ts';
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

export type PollDecision<T extends OpenTarget> =
  | { kind: 'rollback'; target: T; version: string }
  | { kind: 'update'; target: T }
  /** The device asks instead of working: its update was cancelled, and ends here. */
  | { kind: 'idle'; target: T }
  /** It asks for what is paused: it gets nothing until the deployment is resumed, and is waited for. */
  | { kind: 'held'; target: T }
  | { kind: 'nothing' };

/**
 * What a device gets when it asks (docs/contract.md, Device API): a rollback an admin asked for; else the
 * update it has begun, again; else the newest released one. A device has one update at a time. Whoever asks is not
 * at work: an update that it had begun was lost on the way, in a power cut for instance. Under a paused
 * deployment that keeps others away until it is resumed; under a cancelled one it ends, and makes room.
 */
export function decidePoll<T extends OpenTarget>(targets: readonly T[]): PollDecision<T> {
  const newestFirst = [...targets].sort(
    (a, b) =>
      b.createdAt.getTime() - a.createdAt.getTime() || (a.deploymentId < b.deploymentId ? 1 : -1),
  );
  for (const target of newestFirst) {
    if (target.rollbackVersion !== null) {
      return { kind: 'rollback', target, version: target.rollbackVersion };
    }
  }
  const begun = newestFirst.find((target) => isUpdating(target.status));
  if (begun?.deploymentStatus === 'cancelled') return { kind: 'idle', target: begun };
  if (begun?.deploymentStatus === 'paused') return { kind: 'held', target: begun };
  if (begun) return isOffering(begun) ? { kind: 'update', target: begun } : { kind: 'nothing' };
  const released = newestFirst.find((target) => target.status === 'pending' && isOffering(target));
  return released ? { kind: 'update', target: released } : { kind: 'nothing' };
}

function isUpdating(status: TargetStatus): boolean {
  return status === 'downloading' || status === 'installing' || status === 'verifying';
}

/**
 * Whether what a device says it runs is news, and nobody of ours brought it about. While an update or a rollback
 * of it is open, its report will tell.
 *
 * @param recorded what the device was last known to run; `null`: not known
 */
export function isChangedExternally(
  reported: string,
  recorded: string | null,
  open: readonly OpenTarget[],
): boolean {
  if (isSameVersion(reported, recorded)) return false;
  return !open.some(
    ({ status, rollbackVersion }) => isUpdating(status) || rollbackVersion !== null,
  );
}

function isOffering(target: OpenTarget): boolean {
  return target.deploymentStatus === 'in_progress' && target.position < target.releasedDevices;
}
