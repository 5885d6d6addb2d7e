import type { TargetView } from '../../../backend/contract/admin-api.ts';
import { isSameVersion } from '../../../backend/contract/version.ts';

type Facts = Pick<
  TargetView,
  'status' | 'rollback_requested' | 'current_version' | 'previous_version' | 'timed_out'
>;

/** A rollback makes sense where the update may have changed the device and none is under way. */
export function canRollBack(target: Facts): boolean {
  return hasFinished(target) && target.rollback_requested === null && !runsPreviousVersion(target);
}

/** The update has finished and the device runs what it ran before: there is nothing to roll back. */
export function runsPreviousVersion(target: Facts): boolean {
  const { current_version: current, previous_version: before } = target;
  return (
    hasFinished(target) && !target.timed_out && before !== null && isSameVersion(current, before)
  );
}

function hasFinished({ status }: Facts): boolean {
  return status === 'completed' || status === 'failed';
}
