import {
  FINISHED_TARGET_STATUSES,
  UPDATING_TARGET_STATUSES,
  type DeploymentStatus,
  type ReportedStatus,
  type TargetStatus,
} from '../../contract/states.ts';
import type { GoneReason, SkipReason } from '../model/deployment.types.ts';

/** What became of the device, after its name. */
export const GONE_DESCRIPTIONS: Record<GoneReason, string> = {
  removed: 'was removed from Ops-Center',
  moved: 'was moved to another organization',
  not_registered: 'was announced and has never registered',
};

/** A target as the report rules see it. */
export interface ReportContext {
  status: TargetStatus;
  attempt: number;
  /** The server gave up waiting for a report and wrote `failed`. */
  timedOut: boolean;
  skipReason: SkipReason | null;
  /** The batch of the target has been released. */
  released: boolean;
  rollbackRequested: boolean;
  errorMessage: string | null;
  deploymentStatus: DeploymentStatus;
}

export interface ReportedState {
  status: ReportedStatus;
  /** Agents of the earlier generation send none: taken as the current one. */
  attempt?: number | undefined;
  errorMessage?: string | null | undefined;
}

export type ReportVerdict =
  /** Write the new status. */
  | { kind: 'apply'; status: Exclude<TargetStatus, 'pending'> }
  /** Seen before; an unfinished target only shows a sign of life. */
  | { kind: 'repeat' }
  /** The device could not carry out the rollback an admin asked for; the state stays. */
  | { kind: 'rollback_failed' }
  | { kind: 'stale_attempt' | 'future_attempt' | 'not_released' | 'stale_status' };

const STEP_ORDER: Record<string, number> = {
  pending: 0,
  downloading: 1,
  installing: 2,
  verifying: 3,
  completed: 4,
};

export function isUpdating(status: TargetStatus): boolean {
  return (UPDATING_TARGET_STATUSES as readonly TargetStatus[]).includes(status);
}

export function isFinished(status: TargetStatus): boolean {
  return (FINISHED_TARGET_STATUSES as readonly TargetStatus[]).includes(status);
}

/** What a device's report does to its target: the rules of docs/contract.md, States, in this order. */
export function judgeReport(target: ReportContext, report: ReportedState): ReportVerdict {
  const attempt = report.attempt ?? target.attempt;
  if (attempt < target.attempt) return { kind: 'stale_attempt' };
  if (attempt > target.attempt) return { kind: 'future_attempt' };
  if (!target.released && !hasBegun(target.status)) return { kind: 'not_released' };
  if (isRollbackFailure(target, report)) return { kind: 'rollback_failed' };
  if (report.status === target.status && !isTimedOut(target)) return { kind: 'repeat' };
  if (isStillUpdating(target, report.status)) return { kind: 'repeat' };
  if (isLegal(target, report.status)) {
    return { kind: 'apply', status: report.status };
  }
  return { kind: 'stale_status' };
}

function isLegal(target: ReportContext, reported: ReportedStatus): boolean {
  switch (target.status) {
    case 'pending':
    case 'downloading':
    case 'installing':
    case 'verifying':
      return isLegalFromUnfinished(target, reported);
    case 'failed':
      return reported === 'rolled_back' || (target.timedOut && isResult(reported));
    case 'completed':
      return reported === 'rolled_back' && target.rollbackRequested;
    case 'skipped':
      return target.skipReason !== 'superseded' && isResult(reported);
    case 'rolled_back':
      return false;
  }
}

function isLegalFromUnfinished(target: ReportContext, reported: ReportedStatus): boolean {
  switch (reported) {
    case 'failed':
    case 'rolled_back':
    case 'downloading': // a restarted attempt
      return true;
    case 'skipped': // the device obeyed `directive: abort`
      return target.deploymentStatus === 'cancelled';
    case 'installing':
    case 'verifying':
    case 'completed':
      return (STEP_ORDER[reported] ?? 0) > (STEP_ORDER[target.status] ?? 0);
  }
}

/** What was never offered to a device cannot have been begun by it. */
function hasBegun(status: TargetStatus): boolean {
  return status !== 'pending' && status !== 'skipped';
}

/** The server wrote `failed` without knowing why; the device's own `failed` says it. */
function isTimedOut(target: ReportContext): boolean {
  return target.status === 'failed' && target.timedOut;
}

/** Taken for idle when it asked for updates, it works on: it is told to stop, or its end is waited for. */
function isStillUpdating(target: ReportContext, reported: ReportedStatus): boolean {
  return target.status === 'skipped' && target.skipReason === 'aborted' && isUpdating(reported);
}

function isResult(reported: ReportedStatus): boolean {
  return reported === 'completed' || reported === 'failed' || reported === 'rolled_back';
}

/**
 * Whether an accepted report is answered with `directive: abort`: after a cancel a device is stopped
 * where that is still safe, before it runs the script. `target` is the state before the report.
 */
export function shouldAbort(target: ReportContext, reported: ReportedStatus): boolean {
  return (
    target.deploymentStatus === 'cancelled' &&
    (target.status === 'pending' ||
      target.status === 'downloading' ||
      isStillUpdating(target, reported)) &&
    (reported === 'downloading' || reported === 'installing')
  );
}

function isRollbackFailure(target: ReportContext, report: ReportedState): boolean {
  if (!target.rollbackRequested || report.status !== 'failed') return false;
  if (target.status === 'completed') return true;
  // On a failed target the message tells this apart from the first failure, repeated; and one that the
  // server gave up has yet to tell its first.
  if (target.status !== 'failed' || target.timedOut) return false;
  return (report.errorMessage ?? null) !== target.errorMessage;
}
