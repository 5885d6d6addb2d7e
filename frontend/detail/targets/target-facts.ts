import type { TargetView } from '../../../backend/contract/admin-api.ts';

/** Seconds from the device's start to its end; null while one of them is missing. */
export function durationOf(target: Pick<TargetView, 'started_at' | 'completed_at'>): number | null {
  if (target.started_at === null || target.completed_at === null) return null;
  return (Date.parse(target.completed_at) - Date.parse(target.started_at)) / 1_000;
}

/** A rollback makes sense where the update may have changed the device and none is under way. */
export function canRollBack(target: Pick<TargetView, 'status' | 'rollback_requested'>): boolean {
  const changed = target.status === 'completed' || target.status === 'failed';
  return changed && target.rollback_requested === null;
}
