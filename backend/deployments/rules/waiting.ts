/**
 * What an unfinished target waits for (docs/contract.md, Why not?). Built on the rule that answers polls, so that an
 * explanation never contradicts what the device gets.
 */
import type { DeploymentStatus, DeviceActivity, WaitingReason } from '../../contract/states.ts';
import type { Deployment } from '../model/deployment.types.ts';
import {
  decidePoll,
  isOffering,
  newestFirst,
  type OpenTarget,
  type PollDecision,
} from './poll-decision.ts';
import { isFinished, isUpdating } from './target-reports.ts';

/** Polls that a device may miss, and the minimum time, until it counts as not seen. */
const MISSED_POLLS = 3;
const MIN_SILENCE_MS = 15 * 60_000;

/** An open target with everything that its explanation depends on. */
export interface WaitingTarget extends OpenTarget {
  /** Only while the status is `verifying`. */
  activity: DeviceActivity | null;
  /** When the device started the update. */
  startedAt: Date | null;
  lastReportAt: Date | null;
  /** Of the target's batch. */
  releaseRequestedAt: Date | null;
  releasedAt: Date | null;
  deployment: Pick<
    Deployment,
    | 'strategy'
    | 'policy'
    | 'pausedReason'
    | 'scheduledAt'
    | 'startedAt'
    | 'resumedAt'
    | 'completedAt'
  > & { pausedAt: Date | null };
}

/** When a device was heard of. `null`: never, or it is unknown. */
export interface DeviceContact {
  lastPolledAt: Date | null;
  /** The latest heartbeat that the host received. */
  lastSeen: Date | null;
  /** The database's clock. */
  now: Date;
}

export interface Waiting<T> {
  reason: WaitingReason;
  since: Date | null;
  until: Date | null;
  /** The target that the device gets first; only with `other_update`. */
  other: T | null;
}

type NextAnswer<T extends OpenTarget> = Exclude<PollDecision<T>, { kind: 'idle' }>;

/** Milliseconds without a sign of a device after which it counts as not seen. */
export function silenceLimitMs(pollIntervalSeconds: number): number {
  return Math.max(MISSED_POLLS * pollIntervalSeconds * 1_000, MIN_SILENCE_MS);
}

/**
 * What each unfinished target of a device waits for.
 *
 * @param open all open targets of the device in its organization
 */
export function explainWaiting<T extends WaitingTarget>(
  open: readonly T[],
  contact: DeviceContact,
  silenceMs: number,
): Map<T, Waiting<T>> {
  const answer = nextAnswer(open);
  const heardAt = latest(
    contact.lastPolledAt,
    contact.lastSeen,
    ...open.map((target) => target.lastReportAt),
  );
  const isSilent = heardAt === null || contact.now.getTime() - heardAt.getTime() > silenceMs;
  const explain = (target: T): Waiting<T> => {
    if (answer.kind === 'update' && answer.target === target) {
      return ofOffered(target, heardAt, isSilent);
    }
    return ofDeployment(target) ?? ofOther(target, otherOf(answer));
  };
  const unfinished = open.filter((target) => !isFinished(target.status));
  return new Map(unfinished.map((target) => [target, explain(target)]));
}

/** The unfinished target that the device gets next, or else its newest. */
export function nextTarget<T extends OpenTarget>(open: readonly T[]): T | null {
  const answer = nextAnswer(open);
  if (answer.kind === 'update' || answer.kind === 'held') return answer.target;
  if (answer.kind === 'none' && answer.begun) return answer.begun;
  const [newest = null] = newestFirst(open.filter(({ status }) => !isFinished(status)));
  return newest;
}

/** Positions of a deployment's targets: from the first to before the second. */
export interface WaitingRange {
  from: number;
  to: number;
  /** Whether every unfinished target in the range waits for the reason; otherwise it depends on the device. */
  all: boolean;
}

/**
 * Where a deployment has unfinished targets that wait for a reason. `null`: nowhere.
 *
 * @param unrequested the first position whose release has not been requested
 */
export function whereWaiting(
  deployment: Pick<
    Deployment,
    'status' | 'pausedReason' | 'strategy' | 'scheduledAt' | 'releasedDevices' | 'totalDevices'
  >,
  reason: WaitingReason,
  unrequested: number,
): WaitingRange | null {
  const { releasedDevices, totalDevices } = deployment;
  const everywhere = { from: 0, to: totalDevices, all: true };
  const inProgress = deployment.status === 'in_progress';
  const requested =
    deployment.strategy === 'canary' ? Math.max(unrequested, releasedDevices) : totalDevices;
  switch (reason) {
    case 'deployment_not_started':
      return deployment.status === 'pending' && !deployment.scheduledAt ? everywhere : null;
    case 'scheduled':
      return deployment.status === 'pending' && deployment.scheduledAt ? everywhere : null;
    case 'paused':
    case 'failure_threshold':
      return deployment.status === 'paused' && pauseReason(deployment) === reason
        ? everywhere
        : null;
    case 'deployment_ended':
      return hasEnded(deployment.status) ? everywhere : null;
    case 'batch':
      return inProgress ? { from: releasedDevices, to: requested, all: true } : null;
    case 'expansion':
      return inProgress ? { from: requested, to: totalDevices, all: true } : null;
    case 'other_update':
    case 'not_seen':
    case 'offered':
    case 'rebooting':
      return inProgress ? { from: 0, to: releasedDevices, all: false } : null;
  }
}

function pauseReason({ pausedReason }: Pick<Deployment, 'pausedReason'>): WaitingReason {
  return pausedReason === 'failure_threshold' ? 'failure_threshold' : 'paused';
}

function hasEnded(status: DeploymentStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** The answer to the next poll, with which interrupted updates of cancelled deployments are skipped. */
function nextAnswer<T extends OpenTarget>(open: readonly T[]): NextAnswer<T> {
  const decision = decidePoll(open);
  if (decision.kind !== 'idle') return decision;
  return nextAnswer(open.filter((target) => target !== decision.target));
}

/** The next poll gets this update. */
function ofOffered<T extends WaitingTarget>(
  target: T,
  heardAt: Date | null,
  isSilent: boolean,
): Waiting<T> {
  const until = timeoutOf(target);
  if (target.status === 'verifying' && target.activity === 'rebooting') {
    return waiting('rebooting', target.lastReportAt, until);
  }
  if (isSilent) return waiting('not_seen', heardAt, until);
  return waiting('offered', availableSince(target), until);
}

/** What the deployment holds the target back for. `null`: nothing. */
function ofDeployment<T extends WaitingTarget>(target: T): Waiting<T> | null {
  const { deployment, createdAt } = target;
  switch (target.deploymentStatus) {
    case 'pending':
      return deployment.scheduledAt
        ? waiting('scheduled', createdAt, deployment.scheduledAt)
        : waiting('deployment_not_started', createdAt);
    case 'paused':
      return waiting(pauseReason(deployment), deployment.pausedAt);
    case 'in_progress':
      return isOffering(target) ? null : ofRelease(target);
    case 'completed':
    case 'failed':
    case 'cancelled':
      return waiting(
        'deployment_ended',
        deployment.completedAt,
        isUpdating(target.status) ? timeoutOf(target) : null,
      );
  }
}

function ofRelease<T extends WaitingTarget>(target: T): Waiting<T> {
  const { deployment, releaseRequestedAt } = target;
  if (releaseRequestedAt) return waiting('batch', releaseRequestedAt);
  return waiting(deployment.strategy === 'canary' ? 'expansion' : 'batch', deployment.startedAt);
}

/** The device gets something else first. It is unknown when a rollback was requested. */
function ofOther<T extends WaitingTarget>(target: T, other: T | null): Waiting<T> {
  const since =
    other && other.rollbackVersion === null
      ? latest(availableSince(target), availableSince(other))
      : null;
  return { ...waiting<T>('other_update', since), other };
}

function otherOf<T extends OpenTarget>(answer: NextAnswer<T>): T | null {
  return answer.kind === 'none' ? answer.begun : answer.target;
}

/** When the device started the update, or else when it was released to the device. */
function availableSince(target: WaitingTarget): Date | null {
  if (isUpdating(target.status)) return target.startedAt;
  return latest(target.releasedAt, target.deployment.resumedAt);
}

/** When the server gives up on the device. `null`: never, or it is unknown. */
function timeoutOf(target: WaitingTarget): Date | null {
  const { policy } = target.deployment;
  const [from, minutes] = isUpdating(target.status)
    ? [target.lastReportAt, policy.device_timeout_minutes]
    : [availableSince(target), policy.pickup_timeout_hours && policy.pickup_timeout_hours * 60];
  return from && minutes ? new Date(from.getTime() + minutes * 60_000) : null;
}

function latest(...times: (Date | null)[]): Date | null {
  const known = times.filter((time) => time !== null);
  return known.length > 0 ? new Date(Math.max(...known.map((time) => time.getTime()))) : null;
}

function waiting<T>(
  reason: WaitingReason,
  since: Date | null,
  until: Date | null = null,
): Waiting<T> {
  return { reason, since, until, other: null };
}
