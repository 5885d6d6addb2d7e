import type {
  BatchState,
  BatchView,
  DeploymentDetail,
  DeploymentPhase,
  DeploymentProgress,
  DeploymentSummary,
  Forecast,
  StatusBreakdown,
  TargetView,
} from '../../contract/admin-api.ts';
import { percent } from '../../kernel/percent.ts';
import { sumBreakdowns, type Batch, type Deployment } from '../model/deployment.types.ts';
import { unfinishedTargets } from '../rules/batch-gate.ts';
import { allowedActions } from '../rules/deployment-states.ts';
import { actionContextOf } from '../rules/figures.ts';
import type { RolloutForecast } from '../rules/forecast.ts';
import { forecastOf, type ForecastContext } from '../rules/forecast-input.ts';

export function toProgress(deployment: Deployment, breakdown: StatusBreakdown): DeploymentProgress {
  return {
    total_devices: deployment.totalDevices,
    completed: breakdown.completed,
    failed: breakdown.failed,
    in_progress: breakdown.downloading + breakdown.installing + breakdown.verifying,
    pending: breakdown.pending,
    skipped: breakdown.skipped,
    rolled_back: breakdown.rolled_back,
    percentage: percent(breakdown.completed, deployment.totalDevices) ?? 0,
  };
}

export function toSummary(
  deployment: Deployment,
  batches: Batch[],
  context: ForecastContext,
): DeploymentSummary {
  const breakdown = sumBreakdowns(batches);
  return {
    deployment_id: deployment.id,
    deployment_name: deployment.name,
    target_version: deployment.targetVersion,
    rollout_strategy: deployment.strategy,
    rollout_percentage: deployment.rolloutPercentage,
    batch_size: deployment.batchSize,
    status: deployment.status,
    paused_reason: deployment.pausedReason,
    total_devices: deployment.totalDevices,
    completed_devices: breakdown.completed,
    failed_devices: breakdown.failed,
    rolled_back_devices: breakdown.rolled_back,
    progress_percentage: percent(breakdown.completed, deployment.totalDevices) ?? 0,
    allowed_actions: allowedActions(actionContextOf(deployment, batches)),
    scheduled_at: deployment.scheduledAt?.toISOString() ?? null,
    started_at: deployment.startedAt?.toISOString() ?? null,
    completed_at: deployment.completedAt?.toISOString() ?? null,
    created_at: deployment.createdAt.toISOString(),
    created_by: deployment.createdBy,
    forecast: toForecast(forecastOf(deployment, batches, context)),
  };
}

export function toDetail(
  deployment: Deployment,
  batches: Batch[],
  context: ForecastContext,
  devices: TargetView[],
): DeploymentDetail {
  const breakdown = sumBreakdowns(batches);
  return {
    ...toSummary(deployment, batches, context),
    metadata: {
      update_package_url: deployment.updatePackageUrl,
      checksum: deployment.checksum,
      release_notes: deployment.releaseNotes,
      device_filters: deployment.deviceFilters,
    },
    skip_up_to_date: deployment.skipUpToDate,
    stratify_by: deployment.stratifyBy,
    policy: deployment.policy,
    phase: phaseOf(deployment, batches),
    progress: toProgress(deployment, breakdown),
    status_breakdown: breakdown,
    batches: batches.map(toBatchView),
    released_devices: deployment.releasedDevices,
    retryable_devices: actionContextOf(deployment, batches).failed,
    devices,
  };
}

export function toForecast(forecast: RolloutForecast | null): Forecast | null {
  if (forecast === null) return null;
  const { earliest, likely, latest, basis, updates, assumes, notPolling } = forecast;
  return {
    earliest: earliest.toISOString(),
    likely: likely?.toISOString() ?? null,
    latest: latest?.toISOString() ?? null,
    basis: { durations: basis, updates, assumes, not_polling: notPolling },
  };
}

function toBatchView(batch: Batch): BatchView {
  return {
    number: batch.number,
    size: batch.size,
    state: batchState(batch),
    released_at: batch.releasedAt?.toISOString() ?? null,
    status_breakdown: batch.breakdown,
  };
}

function batchState(batch: Batch): BatchState {
  if (unfinishedTargets(batch.breakdown) === 0) return 'ended';
  if (batch.releasedAt) return 'running';
  return batch.releaseRequestedAt ? 'releasing' : 'planned';
}

/**
 * A canary with unreleased devices is running until every target of the requested batches has finished; then it waits to
 * be expanded (docs/contract.md, Strategies).
 */
function phaseOf(deployment: Deployment, batches: Batch[]): DeploymentPhase {
  if (deployment.status === 'pending') return 'not_started';
  if (deployment.status !== 'in_progress' && deployment.status !== 'paused') return 'ended';
  const requested = batches.filter((batch) => batch.releaseRequestedAt !== null);
  if (deployment.strategy !== 'canary' || requested.length === batches.length) return 'rolling_out';
  const hasFinished = requested.every((batch) => unfinishedTargets(batch.breakdown) === 0);
  return hasFinished ? 'awaiting_expansion' : 'canary_running';
}
