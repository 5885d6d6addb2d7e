/** Computes the inputs of the forecast from a deployment, or a draft. */
import type { BatchPlanEntry } from '../../contract/admin-api.ts';
import {
  emptyBreakdown,
  toDurations,
  type Batch,
  type Deployment,
  type DeploymentDraft,
  type UpdateDurations,
} from '../model/deployment.types.ts';
import { forecast, type RolloutForecast } from './forecast.ts';

/** What all forecasts of an organization have in common. */
export interface ForecastContext {
  now: Date;
  pollSeconds: number;
  /** Of the latest deployments; `null`: none has completed an update. */
  recentDurations: UpdateDurations | null;
}

export function forecastOf(
  deployment: Deployment,
  batches: readonly Batch[],
  context: ForecastContext,
): RolloutForecast | null {
  const updates = batches.reduce((sum, batch) => sum + batch.timedUpdates, 0);
  const seconds = batches.reduce((sum, batch) => sum + batch.updateSeconds, 0);
  return forecast({ ...deployment, ...context, batches, durations: toDurations(updates, seconds) });
}

/** The forecast of a draft: as if it were started now, or at its scheduled time. */
export function forecastOfDraft(
  draft: DeploymentDraft,
  plan: readonly BatchPlanEntry[],
  context: ForecastContext,
): RolloutForecast | null {
  return forecast({
    ...draft,
    ...context,
    status: 'pending',
    resumedAt: null,
    durations: null,
    batches: plan.map(({ size }) => ({
      size,
      releasedAt: null,
      breakdown: { ...emptyBreakdown(), pending: size },
    })),
  });
}
