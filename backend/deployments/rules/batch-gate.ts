import type { RolloutPolicy, StatusBreakdown } from '../../contract/admin-api.ts';
import type { DeploymentStatus, RolloutStrategy } from '../../contract/states.ts';

/** The figures of the whole deployment that the failure threshold depends on. */
export interface GateFigures {
  breakdown: StatusBreakdown;
  /** The rolled back targets whose rollback an admin requested; they are not failures. */
  rolledBackOnRequest: number;
  /** Failures that the latest resume accepted; 0 if none were accepted. */
  acceptedFailures: number;
}

/** The number of failures that count for the threshold (docs/contract.md, Strategies). */
export function countFailures(figures: GateFigures): number {
  const { failed, rolled_back: rolledBack } = figures.breakdown;
  return failed + rolledBack - figures.rolledBackOnRequest;
}

/**
 * Whether the failure threshold is exceeded (docs/contract.md, Strategies): at least `failure_min_devices` targets have
 * finished, and more than `failure_threshold_percent` of them failed. Skipped targets do not count. After a resume,
 * there must be more failures than it accepted.
 */
export function failureThresholdExceeded(
  policy: Pick<RolloutPolicy, 'failure_threshold_percent' | 'failure_min_devices'>,
  figures: GateFigures,
): boolean {
  const { failure_threshold_percent: threshold, failure_min_devices: minimum } = policy;
  if (threshold === null) return false;
  const { completed, failed, rolled_back: rolledBack } = figures.breakdown;
  const finished = completed + failed + rolledBack;
  const failures = countFailures(figures);
  if (finished < minimum || failures <= figures.acceptedFailures) return false;
  return failures * 100 > threshold * finished;
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
  /** A retry is in progress, so some targets that count as failed will be retried. */
  isRetrying: boolean;
  /** In order of their numbers. */
  batches: BatchProgress[];
}

/**
 * The next step of a deployment:
 * - `pause`: the failure threshold is exceeded;
 * - `finish`: every target has finished;
 * - `release`: this batch is due, because its release was requested, or the previous batch of a rolling deployment has
 *   finished;
 * - `wait`: for devices, an admin, or a retry in progress.
 */
export type NextStep =
  | { kind: 'pause' }
  | { kind: 'finish'; status: 'completed' | 'failed' }
  | { kind: 'release'; batch: number }
  | { kind: 'wait' };

/** The rule that reports, jobs and the reconciler follow (docs/contract.md, States and Strategies). */
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
  const releasedHaveFinished = batches
    .filter((batch) => batch.released)
    .every((batch) => unfinishedTargets(batch.breakdown) === 0);
  return strategy === 'rolling' && releasedHaveFinished
    ? { kind: 'release', batch: next.number }
    : { kind: 'wait' };
}
