import type {
  AssumedAction,
  DeploymentStatus,
  ForecastBasis,
  RolloutStrategy,
} from '../../contract/states.ts';
import type { RolloutPolicy, StatusBreakdown } from '../../contract/admin-api.ts';
import type { UpdateDurations } from '../model/deployment.types.ts';
import { unfinishedTargets } from './batch-gate.ts';
import { durationModel, timeOfLast, type DurationModel } from './update-durations.ts';

export interface ForecastBatch {
  size: number;
  releasedAt: Date | null;
  breakdown: StatusBreakdown;
}

/** What the end of a deployment depends on. */
export interface ForecastInput {
  now: Date;
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  policy: Pick<RolloutPolicy, 'device_timeout_minutes' | 'pickup_timeout_hours'>;
  scheduledAt: Date | null;
  /** The latest resume or retry. */
  resumedAt: Date | null;
  /** In order of their numbers. */
  batches: readonly ForecastBatch[];
  /** Mean seconds between two polls of a device. */
  pollSeconds: number;
  /** Of this deployment; `null`: none has completed. */
  durations: UpdateDurations | null;
  /** Of the latest deployments of the organization; `null`: there are none. */
  recentDurations: UpdateDurations | null;
}

export interface RolloutForecast {
  earliest: Date;
  /** `null`: a device holds up the end that has not polled, and nothing limits how long. */
  likely: Date | null;
  /** `null`: as for `likely`. */
  latest: Date | null;
  basis: ForecastBasis;
  /** The updates whose durations were used; 0 if they are assumed. */
  updates: number;
  assumes: AssumedAction[];
  /** Released devices that have not polled although there was time for three polls. */
  notPolling: number;
}

/** Seconds. Used until an update of the organization has completed. */
const ASSUMED_DURATION = 180;
/** From this number of completed updates on, only those of the deployment itself are used. */
const ENOUGH_UPDATES = 10;
/** By what the mean duration may be wrong. */
const DOUBT: Record<ForecastBasis, number> = {
  this_deployment: 1.2,
  recent_deployments: 1.5,
  assumed: 5,
};
/** Polls after which a released device counts as one that does not poll. */
const MISSED_POLLS = 3;
/** Seconds between the end of a batch and the release of the next. */
const RELEASE_SECONDS = 1;
/** The band holds nine of ten ends of a batch. */
const LOW = 0.05;
const HIGH = 0.95;
/** The share of cases in which a device that does not poll must be expected. */
const EXPECTED = 0.5;
const POSSIBLE = 0.05;

/** Seconds until the end of one batch; infinite if nothing limits the wait for a device that does not poll. */
interface Span {
  low: number;
  likely: number;
  high: number;
}

/**
 * When an unfinished deployment will have finished (docs/contract.md, Forecast): for each batch, when the last of its
 * devices has polled and updated; one batch after the other. Nothing is read but counters, so the cost does not depend on
 * the number of devices. `null`: the deployment has finished.
 */
export function forecast(input: ForecastInput): RolloutForecast | null {
  const { now, status, batches } = input;
  if (status !== 'pending' && status !== 'in_progress' && status !== 'paused') return null;
  const { basis, durations } = knownDurations(input);
  const spans = remainingSpans(input, durations, DOUBT[basis]);
  const start = input.scheduledAt && input.scheduledAt > now ? input.scheduledAt : now;
  const at = (seconds: number) => new Date(Math.ceil(start.getTime() / 1_000 + seconds) * 1_000);
  const atIfKnown = (seconds: number) => (Number.isFinite(seconds) ? at(seconds) : null);
  const total = inSequence(spans);
  return {
    earliest: at(total.low),
    likely: atIfKnown(total.likely),
    latest: atIfKnown(total.high),
    basis,
    updates: basis === 'assumed' ? 0 : durations.updates,
    assumes: assumedActions(input),
    notPolling: batches.reduce((sum, batch) => sum + notPolling(input, batch), 0),
  };
}

function knownDurations({ durations, recentDurations }: ForecastInput): {
  basis: ForecastBasis;
  durations: UpdateDurations;
} {
  if (durations && (durations.updates >= ENOUGH_UPDATES || !recentDurations)) {
    return { basis: 'this_deployment', durations };
  }
  if (recentDurations) return { basis: 'recent_deployments', durations: recentDurations };
  return { basis: 'assumed', durations: { updates: 0, meanSeconds: ASSUMED_DURATION } };
}

function assumedActions({
  status,
  strategy,
  scheduledAt,
  batches,
}: ForecastInput): AssumedAction[] {
  // The start releases the first batch.
  const byStart = status === 'pending' ? 1 : 0;
  const unreleased = batches.filter((batch) => batch.releasedAt === null).length;
  return [
    ...(status === 'pending' && scheduledAt === null ? (['start'] as const) : []),
    ...(status === 'paused' ? (['resume'] as const) : []),
    ...(strategy === 'canary' && unreleased > byStart ? (['expand'] as const) : []),
  ];
}

function remainingSpans(input: ForecastInput, durations: UpdateDurations, doubt: number): Span[] {
  const models = {
    low: durationModel({ ...input, meanSeconds: durations.meanSeconds / doubt }),
    likely: durationModel({ ...input, meanSeconds: durations.meanSeconds }),
    high: durationModel({ ...input, meanSeconds: durations.meanSeconds * doubt }),
  };
  const missing = shareNotPolling(input);
  const released = input.batches.filter((batch) => batch.releasedAt !== null);
  const planned = input.batches.filter((batch) => batch.releasedAt === null);
  const running = released
    .filter((batch) => unfinishedTargets(batch.breakdown) > 0)
    .map((batch) => runningSpan(input, batch, models));
  return [
    ...(running.length > 0 ? [together(running)] : []),
    ...planned.map((batch) => plannedSpan(input, batch.size, missing, models)),
  ];
}

type Models = Record<'low' | 'likely' | 'high', DurationModel>;

function plannedSpan(input: ForecastInput, size: number, missing: number, models: Models): Span {
  const coming = Math.max(1, Math.round(size * (1 - missing)));
  const span = {
    low: RELEASE_SECONDS + timeOfLast(models.low, coming, LOW),
    likely: RELEASE_SECONDS + timeOfLast(models.likely, coming, 0.5),
    high: RELEASE_SECONDS + timeOfLast(models.high, coming, HIGH),
  };
  const someMissing = 1 - (1 - missing) ** size;
  return {
    low: span.low,
    likely: someMissing > EXPECTED ? pickupSeconds(input) : span.likely,
    high: someMissing > POSSIBLE ? pickupSeconds(input) : span.high,
  };
}

/** The rest of a released batch. */
function runningSpan(input: ForecastInput, batch: ForecastBatch, models: Models): Span {
  const elapsed = elapsedSeconds(input, batch);
  const waiting = notPolling(input, batch);
  const coming = unfinishedTargets(batch.breakdown) - waiting;
  const rest = (model: DurationModel, probability: number) =>
    coming === 0 ? 0 : timeOfLast(model, coming, probability, elapsed) - elapsed;
  const span = {
    low: rest(models.low, LOW),
    likely: rest(models.likely, 0.5),
    high: rest(models.high, HIGH),
  };
  if (waiting === 0) return span;
  // A device that has not polled may do so at any time, and is waited for until then.
  const untilSkipped = pickupSeconds(input) - elapsed;
  return {
    low: span.low,
    likely: Math.max(span.likely, untilSkipped),
    high: Math.max(span.high, untilSkipped),
  };
}

function pickupSeconds({ policy }: ForecastInput): number {
  return (policy.pickup_timeout_hours ?? Infinity) * 3_600;
}

/** Seconds since the targets of a released batch could begin. */
function elapsedSeconds({ now, resumedAt }: ForecastInput, batch: ForecastBatch): number {
  const begin = Math.max(batch.releasedAt?.getTime() ?? 0, resumedAt?.getTime() ?? 0);
  return Math.max(0, (now.getTime() - begin) / 1_000);
}

function hadTimeToPoll(input: ForecastInput, batch: ForecastBatch): boolean {
  if (batch.releasedAt === null || input.status === 'paused') return false;
  return elapsedSeconds(input, batch) > MISSED_POLLS * input.pollSeconds;
}

function notPolling(input: ForecastInput, batch: ForecastBatch): number {
  return hadTimeToPoll(input, batch) ? batch.breakdown.pending : 0;
}

/** The share of released devices that had time to poll, but did not. Skipped devices usually did not either. */
function shareNotPolling(input: ForecastInput): number {
  const observed = input.batches.filter((batch) => hadTimeToPoll(input, batch));
  const devices = observed.reduce((sum, batch) => sum + batch.size, 0);
  const missing = observed.reduce(
    (sum, { breakdown }) => sum + breakdown.pending + breakdown.skipped,
    0,
  );
  return devices === 0 ? 0 : missing / devices;
}

/** Batches that run at the same time end with the last of them. */
function together(spans: readonly Span[]): Span {
  return {
    low: Math.max(...spans.map((span) => span.low)),
    likely: Math.max(...spans.map((span) => span.likely)),
    high: Math.max(...spans.map((span) => span.high)),
  };
}

/** One batch after the other. Their deviations partly cancel each other out, so their squares are added. */
function inSequence(spans: readonly Span[]): Span {
  const likely = sumOf(spans, (span) => span.likely);
  if (!Number.isFinite(likely)) {
    return { low: sumOf(spans, (span) => span.low), likely, high: likely };
  }
  const below = Math.hypot(...spans.map((span) => Math.max(0, span.likely - span.low)));
  const above = Math.hypot(...spans.map((span) => Math.max(0, span.high - span.likely)));
  return { low: Math.max(0, likely - below), likely, high: likely + above };
}

function sumOf(spans: readonly Span[], valueOf: (span: Span) => number): number {
  return spans.reduce((total, span) => total + valueOf(span), 0);
}
