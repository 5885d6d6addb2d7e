import type { RolloutPolicy, StatusBreakdown } from '../../contract/admin-api.ts';
import type { DeploymentStatus, RolloutStrategy } from '../../contract/states.ts';

/** What the gate looks at: targets of the whole deployment by status. */
export interface GateFigures {
  breakdown: StatusBreakdown;
  /** Of the rolled back ones: those an admin asked for. They are no failures. */
  rolledBackOnRequest: number;
  /** Failures that a resume by hand has accepted; 0 when nobody has. */
  acceptedFailures: number;
}

/** Failures that count for the threshold (docs/contract.md, Strategies). */
export function countFailures(figures: GateFigures): number {
  const { failed, rolled_back: rolledBack } = figures.breakdown;
  return failed + rolledBack - figures.rolledBackOnRequest;
}

/**
 * Whether the failure threshold is exceeded: more than the given percent of *ended* targets failed,
 * from `failure_min_devices` ended ones on. Skipped targets are neutral. After a resume by hand it
 * takes more failures than the ones accepted then.
 */
export function failureThresholdExceeded(
  policy: Pick<RolloutPolicy, 'failure_threshold_percent' | 'failure_min_devices'>,
  figures: GateFigures,
): boolean {
  const { failure_threshold_percent: threshold, failure_min_devices: minimum } = policy;
  if (threshold === null) return false;
  const { completed, failed, rolled_back: rolledBack } = figures.breakdown;
  const ended = completed + failed + rolledBack;
  const failures = countFailures(figures);
  if (ended < minimum || failures <= figures.acceptedFailures) return false;
  return failures * 100 > threshold * ended;
}

export function unfinishedTargets(breakdown: StatusBreakdown): number {
  return breakdown.pending + breakdown.downloading + breakdown.installing + breakdown.verifying;
}

export interface BatchProgress {
  number: number;
  releaseRequested: boolean;
  released: boolean;
  breakdown: StatusBreakdown;
}

export interface RolloutFigures extends GateFigures {
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  policy: Pick<RolloutPolicy, 'failure_threshold_percent' | 'failure_min_devices'>;
  /** A retry is in progress: some targets that count as failed are still to be retried. */
  isRetrying: boolean;
  /** In order of their numbers. */
  batches: BatchProgress[];
}

/**
 * What a deployment needs next:
 * - `pause`: the failure threshold is exceeded;
 * - `finish`: every target is at an end state;
 * - `release`: this batch is due (asked for, or a rolling one whose predecessor has ended);
 * - `wait`: for devices, for an admin, or for a retry that has not finished.
 */
export type NextStep =
  | { kind: 'pause' }
  | { kind: 'finish'; status: 'completed' | 'failed' }
  | { kind: 'release'; batch: number }
  | { kind: 'wait' };

/** The one rule that reports, jobs and the reconciler all follow. */
export function nextStep(rollout: RolloutFigures): NextStep {
  if (rollout.status !== 'in_progress' && rollout.status !== 'paused') return { kind: 'wait' };
  if (rollout.isRetrying) return { kind: 'wait' };
  if (unfinishedTargets(rollout.breakdown) === 0) {
    const { failed, rolled_back: rolledBack } = rollout.breakdown;
    return { kind: 'finish', status: failed + rolledBack > 0 ? 'failed' : 'completed' };
  }
  if (rollout.status === 'paused') return { kind: 'wait' };
  if (failureThresholdExceeded(rollout.policy, rollout)) return { kind: 'pause' };
  return nextRelease(rollout);
}

function nextRelease({ strategy, batches }: RolloutFigures): NextStep {
  const next = batches.find((batch) => !batch.released);
  if (!next) return { kind: 'wait' };
  if (next.releaseRequested) return { kind: 'release', batch: next.number };
  const releasedHaveEnded = batches
    .filter((batch) => batch.released)
    .every((batch) => unfinishedTargets(batch.breakdown) === 0);
  return strategy === 'rolling' && releasedHaveEnded
    ? { kind: 'release', batch: next.number }
    : { kind: 'wait' };
}
