/** Computes the inputs of the rules from a deployment and its batches. */
import { sumBreakdowns, type Batch, type Deployment } from '../model/deployment.types.ts';
import { countFailures, type RolloutFigures } from './batch-gate.ts';
import type { ActionContext } from './deployment-states.ts';

export function figuresOf(deployment: Deployment, batches: Batch[]): RolloutFigures {
  return {
    status: deployment.status,
    strategy: deployment.strategy,
    policy: deployment.policy,
    acceptedFailures: deployment.acceptedFailures,
    isRetrying: deployment.retryFailedBefore !== null,
    breakdown: sumBreakdowns(batches),
    rolledBackOnRequest: batches.reduce((sum, batch) => sum + batch.rolledBackOnRequest, 0),
    batches: batches.map((batch) => ({
      number: batch.number,
      releaseRequested: batch.releaseRequestedAt !== null,
      released: batch.releasedAt !== null,
      breakdown: batch.breakdown,
    })),
  };
}

/** A batch with a requested release counts as released here, because another request would add nothing. */
export function actionContextOf(deployment: Deployment, batches: Batch[]): ActionContext {
  return {
    status: deployment.status,
    strategy: deployment.strategy,
    unreleased: batches
      .filter((batch) => batch.releaseRequestedAt === null)
      .reduce((sum, batch) => sum + batch.size, 0),
    failed: countFailures(figuresOf(deployment, batches)),
  };
}
