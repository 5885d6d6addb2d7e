/**
 * Every change of a target, as pure functions: each takes the locked target and returns the changed one with the
 * timeline entries (docs/contract.md, States). Services lock the rows, call these functions, and save.
 */
import type { NewEvent } from '../../audit/event.ports.ts';
import type { StatusReport } from '../../contract/device-api.ts';
import type { DeviceActivity, FailureCause } from '../../contract/states.ts';
import type { Deployment, Target, GoneReason } from '../model/deployment.types.ts';
import { GONE_DESCRIPTIONS, isFinished, isUpdating, type ReportContext } from './target-reports.ts';
import { deviceEvents } from './timeline-events.ts';

export interface TargetChange {
  next: Target;
  /** The version that the device runs now, if it is known. */
  installedVersion?: string;
  /** What the version belongs to; absent: the device's main product. */
  component?: string;
  events: NewEvent[];
}

/** The input of the rules about reports. */
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

/** Applies an accepted report that changes the status. */
export function reported(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
  status: Exclude<Target['status'], 'pending'>,
  now: Date,
): TargetChange {
  const finished = isFinished(status);
  const onRequest = status === 'rolled_back' && target.rollbackVersion !== null;
  // A rollback keeps the error and the duration of the update that it undoes (docs/contract.md, States).
  const undone = onRequest && isFinished(target.status);
  const next: Target = {
    ...target,
    status,
    progress: finished ? null : (report.progress ?? null),
    activity: activityOf(report, status),
    startedAt: target.startedAt ?? now,
    completedAt: finished ? now : null,
    lastReportAt: now,
    errorMessage: report.error_message ?? (undone ? target.errorMessage : null),
    failureCause: failureCauseAfter(report, status, undone ? target.failureCause : null),
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
    ...(report.component !== undefined && { component: report.component }),
    events: [
      ...(status === 'failed' ? [deviceEvents.failed(deployment, next)] : []),
      ...(status === 'rolled_back' ? [deviceEvents.rolledBack(deployment, next, version)] : []),
    ],
  };
}

/** Only a verifying device has an activity: it ends with every other status. */
function activityOf(report: StatusReport, status: Target['status']): DeviceActivity | null {
  return status === 'verifying' ? (report.activity ?? null) : null;
}

/** @param undone the cause of a failed update that the reported rollback undoes */
function failureCauseAfter(
  report: StatusReport,
  status: Target['status'],
  undone: FailureCause | null,
): FailureCause | null {
  if (status !== 'failed' && status !== 'rolled_back') return null;
  return report.failure_cause ?? undone;
}

/** The version of the deployment's product that the device runs after this report; `null`: unknown. */
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

/** A repeated report: the device is still updating, and may have begun or ended an activity. */
export function heartbeat(target: Target, report: StatusReport, now: Date): Target {
  return {
    ...target,
    lastReportAt: now,
    progress: report.progress ?? target.progress,
    activity: activityOf(report, target.status),
  };
}

/** Separates the error of a failed rollback from the earlier error of the target. */
const EARLIER_ERROR = '; before that: ';

/** The rollback failed on the device. The status stays, and a rollback can be requested again. */
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

/** An updating device polls, so it is not updating any more. `null`: nothing changes. */
export function deviceIdle(target: Target, deployment: Deployment, now: Date): Target | null {
  if (!isUpdating(target.status)) return null;
  switch (deployment.status) {
    case 'cancelled': // its result may still be reported
      return {
        ...target,
        status: 'skipped',
        progress: null,
        activity: null,
        completedAt: now,
        skipReason: 'aborted',
      };
    case 'paused': // it waits for the resume, so it must not time out
      return { ...target, lastReportAt: now, activity: null };
    default:
      return null;
  }
}

/** An updating device has exceeded the device timeout of the policy. `null`: it has not. */
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
      activity: null,
      failureCause: 'timeout',
      timedOut: true,
      completedAt: now,
      errorMessage: `no report for ${minutes} minutes; last known step: ${target.status}`,
    },
    events: [deviceEvents.timedOut(deployment, target, minutes)],
  };
}

/** A device did not check in within the pickup timeout. `null`: it did, or the deployment offers nothing. */
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
 * The device is gone. Its unfinished target is skipped, never failed, and a requested rollback is cancelled. `null`:
 * nothing changes.
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
        activity: null,
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

/** The device completed a newer deployment, and an older version is never installed over a newer one. */
export function superseded(target: Target, newer: Deployment, now: Date): Target {
  return {
    ...target,
    status: 'skipped',
    progress: null,
    activity: null,
    skipReason: 'superseded',
    rollbackVersion: null,
    rollbackRequestedBy: null,
    completedAt: now,
    failureCause: null,
    errorMessage: `superseded by ${newer.name} (${newer.targetVersion})`,
  };
}

/** Starts the next attempt. The result of this one is archived separately (`archiveAttempts`). */
export function retried(target: Target): Target {
  return {
    ...target,
    status: 'pending',
    attempt: target.attempt + 1,
    progress: null,
    activity: null,
    startedAt: null,
    completedAt: null,
    updateFinishedAt: null,
    lastReportAt: null,
    errorMessage: null,
    failureCause: null,
    timedOut: false,
    skipReason: null,
    rolledBackOnRequest: false,
  };
}

/** An admin requests a rollback, or cancels the request (`null`). */
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
