import type { CounterMove } from '../model/deployment.ports.ts';
import type { Target } from '../model/deployment.types.ts';

/** The counter updates that a change of one target causes; none if nothing that is counted changes. */
export function counterMoves(before: Target, after: Target): CounterMove[] {
  const onRequest = (Number(after.rolledBackOnRequest) - Number(before.rolledBackOnRequest)) as
    -1 | 0 | 1;
  if (before.status === after.status && onRequest === 0) return [];
  return [
    {
      deploymentId: after.deploymentId,
      position: after.position,
      from: before.status,
      to: after.status,
      onRequest,
      finishedBefore: before.completedAt,
      finishedAt: after.completedAt,
      seconds: before.status === after.status ? null : updateSeconds(after),
    },
  ];
}

/** The duration of a completed update in seconds; a later rollback does not extend it. */
function updateSeconds({ status, startedAt, completedAt }: Target): number | null {
  if (status !== 'completed' || !startedAt || !completedAt) return null;
  return Math.max(0, completedAt.getTime() - startedAt.getTime()) / 1000;
}
