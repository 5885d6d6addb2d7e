import { isSameVersion } from '../../contract/version.ts';
import type { DeploymentStatus, TargetStatus } from '../../contract/states.ts';
import { isUpdating } from './target-reports.ts';

/** A target of the polling device that is unfinished or has a requested rollback, with its deployment. */
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
  /** The device is not updating any more, and the deployment was cancelled: the target is skipped. */
  | { kind: 'idle'; target: T }
  /** The device is not updating any more, and the deployment is paused: it gets nothing until the resume. */
  | { kind: 'held'; target: T }
  /** Nothing. `begun`: an update that the device has started and its deployment does not offer, if any. */
  | { kind: 'none'; begun: T | null };

/**
 * What a device gets when it polls (docs/contract.md, Strategies and Device API): a requested rollback first, then its
 * unfinished update, then the newest released one. A device that polls is not updating, so an update that it had started
 * was interrupted, e.g. by a power cut. If that deployment is paused, the device waits for the resume. If it was
 * cancelled, the target is skipped, and another update may be offered.
 */
export function decidePoll<T extends OpenTarget>(targets: readonly T[]): PollDecision<T> {
  const ordered = newestFirst(targets);
  for (const target of ordered) {
    if (target.rollbackVersion !== null) {
      return { kind: 'rollback', target, version: target.rollbackVersion };
    }
  }
  const begun = ordered.find((target) => isUpdating(target.status));
  if (begun?.deploymentStatus === 'cancelled') return { kind: 'idle', target: begun };
  if (begun?.deploymentStatus === 'paused') return { kind: 'held', target: begun };
  if (begun) return isOffering(begun) ? { kind: 'update', target: begun } : { kind: 'none', begun };
  const released = ordered.find((target) => target.status === 'pending' && isOffering(target));
  return released ? { kind: 'update', target: released } : { kind: 'none', begun: null };
}

export function newestFirst<T extends OpenTarget>(targets: readonly T[]): T[] {
  return [...targets].sort(
    (a, b) =>
      b.createdAt.getTime() - a.createdAt.getTime() || (a.deploymentId < b.deploymentId ? 1 : -1),
  );
}

/**
 * Whether the version of a device was changed by something other than this product. While the device is updating or a
 * rollback is requested, its report will bring the version, so this is false.
 *
 * @param recorded the recorded version; `null`: unknown
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

export function isOffering(target: OpenTarget): boolean {
  return target.deploymentStatus === 'in_progress' && target.position < target.releasedDevices;
}
