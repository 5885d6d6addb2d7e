/**
 * What may become of a target, as pure functions: each takes the target as it is locked and answers the target
 * after it, with the entries of the timeline (docs/contract.md, States). Services lock, ask and save.
 */
import type { NewEvent } from '../../audit/event.ports.ts';
import type { StatusReport } from '../../contract/device-api.ts';
import type { Deployment, Target, GoneReason } from '../model/deployment.types.ts';
import { GONE_DESCRIPTIONS, isFinished, isUpdating, type ReportContext } from './target-reports.ts';
import { deviceEvents } from './timeline-events.ts';

export interface TargetChange {
  next: Target;
  /** The version the device runs from now on, where that is known. */
  installedVersion?: string;
  events: NewEvent[];
}

/** What the rules about reports look at. */
export function reportContextOf(target: Target, deployment: Deployment): ReportContext {
  return {
    status: target.status,
    attempt: target.attempt,
    timedOut: target.timedOut,
    skipReason: target.skipReason,
    released: target.position < deployment.releasedDevices,
    rollbackRequested: target.rollbackVersion !== null,
    errorMessage: target.errorMessage,
    deploymentStatus: deployment.status,
  };
}

/** A report that was accepted as news. */
export function reported(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
  status: Exclude<Target['status'], 'pending'>,
  now: Date,
): TargetChange {
  const ended = isFinished(status);
  const onRequest = status === 'rolled_back' && target.rollbackVersion !== null;
  // The update had finished before: it lasted until then, and why it failed is still what one wants to know.
  const undone = onRequest && isFinished(target.status);
  const next: Target = {
    ...target,
    status,
    progress: ended ? null : (report.progress ?? null),
    startedAt: target.startedAt ?? now,
    completedAt: ended ? now : null,
    lastReportAt: now,
    errorMessage: report.error_message ?? (undone ? target.errorMessage : null),
    updateFinishedAt: undone ? target.completedAt : null,
    timedOut: false,
    skipReason: status === 'skipped' ? 'aborted' : null,
    rolledBackOnRequest: onRequest,
    ...(status === 'rolled_back' && { rollbackVersion: null, rollbackRequestedBy: null }),
  };
  const version = versionAfter(target, deployment, report, status);
  return {
    next,
    ...(version !== null && { installedVersion: version }),
    events: [
      ...(status === 'failed' ? [deviceEvents.failed(deployment, next)] : []),
      ...(status === 'rolled_back' ? [deviceEvents.rolledBack(deployment, next, version)] : []),
    ],
  };
}

/** What the device runs after this report, when the report tells. */
function versionAfter(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
  status: Target['status'],
): string | null {
  if (status === 'completed') return deployment.targetVersion;
  if (status !== 'rolled_back') return null;
  return report.installed_version ?? target.rollbackVersion ?? target.previousVersion;
}

/** A report with nothing new in it: the device is still updating. */
export function heartbeat(target: Target, report: StatusReport, now: Date): Target {
  return { ...target, lastReportAt: now, progress: report.progress ?? target.progress };
}

/** Between why a rollback failed and what had been wrong before. */
const EARLIER_ERROR = '; before that: ';

/** The device could not roll back: the status stays, and it can be requested again. */
export function rollbackFailed(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
): TargetChange {
  const reason = report.error_message ?? 'the device gave no reason';
  const first = target.errorMessage?.split(EARLIER_ERROR).at(-1);
  const before = first === undefined ? '' : `${EARLIER_ERROR}${first}`;
  return {
    next: {
      ...target,
      rollbackVersion: null,
      rollbackRequestedBy: null,
      errorMessage: `rollback failed: ${reason}${before}`,
    },
    events: [deviceEvents.rollbackFailed(deployment, target, reason)],
  };
}

/** A device that had begun an update asks for one; `null`: that changes nothing. */
export function deviceIdle(target: Target, deployment: Deployment, now: Date): Target | null {
  if (!isUpdating(target.status)) return null;
  switch (deployment.status) {
    case 'cancelled': // a real end may still follow
      return {
        ...target,
        status: 'skipped',
        progress: null,
        completedAt: now,
        skipReason: 'aborted',
      };
    case 'paused': // it must not time out while it is us who hold it up
      return { ...target, lastReportAt: now };
    default:
      return null;
  }
}

/** A device that is updating has not reported for as long as the policy allows; `null`: it has. */
export function timedOut(target: Target, deployment: Deployment, now: Date): TargetChange | null {
  if (!isUpdating(target.status)) return null;
  const minutes = deployment.policy.device_timeout_minutes;
  const limit = new Date(now.getTime() - minutes * 60_000);
  if (target.lastReportAt && target.lastReportAt > limit) return null;
  return {
    next: {
      ...target,
      status: 'failed',
      progress: null,
      timedOut: true,
      completedAt: now,
      errorMessage: `no report for ${minutes} minutes; last known step: ${target.status}`,
    },
    events: [deviceEvents.timedOut(deployment, target, minutes)],
  };
}

/** A device did not come for its update; `null`: it did, or nothing is offered. */
export function notPickedUp(
  target: Target,
  deployment: Deployment,
  now: Date,
): TargetChange | null {
  if (deployment.status !== 'in_progress' || target.status !== 'pending') return null;
  return {
    next: {
      ...target,
      status: 'skipped',
      progress: null,
      skipReason: 'not_checked_in',
      completedAt: now,
      errorMessage: `did not check in within ${deployment.policy.pickup_timeout_hours} hours`,
    },
    events: [deviceEvents.skipped(deployment, target, 'not_checked_in')],
  };
}

/**
 * The device is none of the organization's any more. Whatever it was doing: it is not a failure, and no rollback
 * can be requested of it. `null`: there is nothing to end.
 */
export function deviceGone(
  target: Target,
  deployment: Deployment,
  now: Date,
  reason: GoneReason,
): TargetChange | null {
  const isUnfinished = !isFinished(target.status);
  if (!isUnfinished && target.rollbackVersion === null) return null;
  return {
    next: {
      ...target,
      rollbackVersion: null,
      rollbackRequestedBy: null,
      ...(isUnfinished && {
        status: 'skipped',
        skipReason: reason,
        progress: null,
        completedAt: now,
        errorMessage: `the device ${GONE_DESCRIPTIONS[reason]}`,
      }),
    },
    events: [
      ...(isUnfinished ? [deviceEvents.skipped(deployment, target, reason)] : []),
      ...(target.rollbackVersion === null
        ? []
        : [deviceEvents.rollbackDropped(deployment, target, reason)]),
    ],
  };
}

/** The device completed a newer deployment: finishing a new version must never be followed by an old one. */
export function superseded(target: Target, newer: Deployment, now: Date): Target {
  return {
    ...target,
    status: 'skipped',
    progress: null,
    skipReason: 'superseded',
    rollbackVersion: null,
    rollbackRequestedBy: null,
    completedAt: now,
    errorMessage: `superseded by ${newer.name} (${newer.targetVersion})`,
  };
}

/** The next attempt, with a clean slate. How this one finished is kept beside it. */
export function retried(target: Target): Target {
  return {
    ...target,
    status: 'pending',
    attempt: target.attempt + 1,
    progress: null,
    startedAt: null,
    completedAt: null,
    updateFinishedAt: null,
    lastReportAt: null,
    errorMessage: null,
    timedOut: false,
    skipReason: null,
    rolledBackOnRequest: false,
  };
}

/** An admin requests a rollback, or cancels it with `null`. */
export function rollbackRequested(
  target: Target,
  request: { version: string; by: string } | null,
): Target {
  return {
    ...target,
    rollbackVersion: request?.version ?? null,
    rollbackRequestedBy: request?.by ?? null,
  };
}
