import type { TargetView } from '../../../backend/contract/admin-api.ts';
import { isSameVersion } from '../../../backend/contract/version.ts';

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
