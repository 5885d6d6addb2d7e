import type { DeviceTarget, TargetView } from '../../backend/contract/admin-api.ts';
import {
  UPDATING_TARGET_STATUSES,
  type DeploymentStatus,
  type TargetStatus,
} from '../../backend/contract/states.ts';
import { isSameVersion } from '../../backend/contract/version.ts';

/** Actions on a single target. */
export type TargetAction = 'retry' | 'rollback' | 'cancelRollback';

/** Deployments with one of these statuses can retry targets. */
const RETRYING: readonly DeploymentStatus[] = ['in_progress', 'paused', 'failed'];

/** Whether to offer a retry: the update failed or rolled back by itself, and its deployment can go on. */
export function canRetry(
  target: Pick<
    DeviceTarget,
    'status' | 'deployment_status' | 'rolled_back_on_request' | 'rollback_requested'
  >,
): boolean {
  const unsuccessful =
    target.status === 'failed' ||
    (target.status === 'rolled_back' && !target.rolled_back_on_request);
  return (
    unsuccessful &&
    target.rollback_requested === null &&
    RETRYING.includes(target.deployment_status)
  );
}

export function isUpdating({ status }: Pick<TargetView, 'status'>): boolean {
  return (UPDATING_TARGET_STATUSES as readonly TargetStatus[]).includes(status);
}

type RollbackTarget = Pick<
  TargetView,
  'status' | 'rollback_requested' | 'current_version' | 'previous_version' | 'timed_out'
>;

/** Whether to offer a rollback: the update may have changed the device, and no rollback is pending. */
export function canRollBack(target: RollbackTarget): boolean {
  return hasFinished(target) && target.rollback_requested === null && !runsPreviousVersion(target);
}

/** Whether the update has finished and the device runs its previous version: there is nothing to roll back. */
export function runsPreviousVersion(target: RollbackTarget): boolean {
  const { current_version: current, previous_version: before } = target;
  return (
    hasFinished(target) && !target.timed_out && before !== null && isSameVersion(current, before)
  );
}

function hasFinished({ status }: RollbackTarget): boolean {
  return status === 'completed' || status === 'failed';
}
