import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { waitingForExpansion } from '../shared/describe-action.ts';
import { formatPercent } from '../shared/format.ts';
import type { IconName } from '../shared/icons.ts';
import type { Tone } from '../shared/statuses.ts';
import { texts } from '../texts/texts.ts';

export interface PhaseDescription {
  tone: Tone;
  icon: IconName;
  text: string;
}

/**
 * The state of the deployment, and what the admin can do next.
 *
 * @param scheduledFor relative time of a scheduled start
 */
export function describePhase(
  detail: DeploymentDetail,
  scheduledFor: string | null,
): PhaseDescription {
  const t = texts.detail.phase;
  const { progress, total_devices: total } = detail;
  switch (detail.status) {
    case 'pending':
      return {
        tone: 'neutral',
        icon: 'clock',
        text: scheduledFor ? t.scheduled(scheduledFor) : t.notStarted(total),
      };
    case 'in_progress':
      if (detail.phase === 'awaiting_expansion') {
        const { completed, failed, rolled_back: rolledBack } = progress;
        return {
          tone: canarySucceeded(detail) ? 'info' : 'warning',
          icon: canarySucceeded(detail) ? 'expand' : 'alert',
          text: t.awaitingExpansion(completed, failed + rolledBack, waitingForExpansion(detail)),
        };
      }
      return { tone: 'info', icon: 'progress', text: describeProgress(detail) };
    case 'paused':
      return detail.paused_reason === 'failure_threshold'
        ? {
            tone: 'danger',
            icon: 'alert',
            text: t.pausedThreshold(
              progress.failed,
              formatPercent(detail.policy.failure_threshold_percent),
            ),
          }
        : { tone: 'warning', icon: 'pause', text: t.pausedAdmin };
    case 'completed':
      return { tone: 'success', icon: 'check', text: t.completed(progress.skipped) };
    case 'failed':
      return {
        tone: 'danger',
        icon: 'alert',
        text: t.failed(progress.failed, progress.rolled_back),
      };
    case 'cancelled':
      return { tone: 'muted', icon: 'ban', text: t.cancelled(progress.skipped) };
  }
}

/** Whether a canary has shown that the update works: at least one device completed, and none failed or rolled back. */
export function canarySucceeded({ progress }: Pick<DeploymentDetail, 'progress'>): boolean {
  return progress.completed > 0 && progress.failed === 0 && progress.rolled_back === 0;
}

function describeProgress(detail: DeploymentDetail): string {
  const t = texts.detail.phase;
  const { progress, rollout_strategy, batches } = detail;
  const { pending: waiting, in_progress: updating } = progress;
  if (detail.phase === 'canary_running') {
    const rest = waitingForExpansion(detail);
    return t.canaryRunning(updating, waiting - rest, rest);
  }
  const running = batches.find(({ state }) => state === 'running' || state === 'releasing');
  return running && rollout_strategy === 'rolling' && batches.length > 1
    ? t.rollingBatch(running.number, batches.length, waiting, updating)
    : t.rollingOut(waiting, updating);
}
