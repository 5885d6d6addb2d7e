import type { CounterMove } from '../model/deployment.ports.ts';
import type { Target } from '../model/deployment.types.ts';

/** What a change of one target moves in what is counted: nothing, unless its state is another one. */
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

/** An update ends when it completes; rolling back later does not make it any longer. */
function updateSeconds({ status, startedAt, completedAt }: Target): number | null {
  if (status !== 'completed' || !startedAt || !completedAt) return null;
  return Math.max(0, completedAt.getTime() - startedAt.getTime()) / 1000;
}
