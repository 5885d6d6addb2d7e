import {
  FINISHED_TARGET_STATUSES,
  UPDATING_TARGET_STATUSES,
  type DeploymentStatus,
  type ReportedStatus,
  type SkipReason,
  type TargetStatus,
} from '../../contract/states.ts';
import type { GoneReason } from '../model/deployment.types.ts';

/** What happened to a gone device; follows "the device" in a sentence. */
export const GONE_DESCRIPTIONS: Record<GoneReason, string> = {
  removed: 'was removed from Ops-Center',
  moved: 'was moved to another organization',
  not_registered: 'was announced but has never registered',
};

/** What the rules about reports depend on, besides the report. */
export interface ReportContext {
  status: TargetStatus;
  attempt: number;
  /** The server failed the target because of a timeout. */
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
  /** Older agents do not send it; then the current attempt is meant. */
  attempt?: number | undefined;
  errorMessage?: string | null | undefined;
}

export type ReportVerdict =
  /** Set the new status. */
  | { kind: 'apply'; status: Exclude<TargetStatus, 'pending'> }
  /** A repeated report; for an unfinished target it is a heartbeat. */
  | { kind: 'repeat' }
  /** The rollback that an admin requested failed on the device; the status stays. */
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

/** What a report does to its target: the rules of docs/contract.md, States, in order of precedence. */
export function judgeReport(target: ReportContext, report: ReportedState): ReportVerdict {
  const attempt = report.attempt ?? target.attempt;
  if (attempt < target.attempt) return { kind: 'stale_attempt' };
  if (attempt > target.attempt) return { kind: 'future_attempt' };
  if (!target.released && !hasBegun(target.status)) return { kind: 'not_released' };
  if (isRollbackFailure(target, report)) return { kind: 'rollback_failed' };
  if (report.status === target.status && !isTimedOut(target)) return { kind: 'repeat' };
  if (isStillUpdating(target, report.status)) return { kind: 'repeat' };
  if (isAllowed(target, report.status)) {
    return { kind: 'apply', status: report.status };
  }
  return { kind: 'stale_status' };
}

function isAllowed(target: ReportContext, reported: ReportedStatus): boolean {
  switch (target.status) {
    case 'pending':
    case 'downloading':
    case 'installing':
    case 'verifying':
      return isAllowedFromUnfinished(target, reported);
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

function isAllowedFromUnfinished(target: ReportContext, reported: ReportedStatus): boolean {
  switch (reported) {
    case 'failed':
    case 'rolled_back':
    case 'downloading': // a restarted attempt
      return true;
    case 'skipped': // the device stopped because of `directive: abort`
      return target.deploymentStatus === 'cancelled';
    case 'installing':
    case 'verifying':
    case 'completed':
      return (STEP_ORDER[reported] ?? 0) > (STEP_ORDER[target.status] ?? 0);
  }
}

/** Whether the device started the update at some time; otherwise it must be released first. */
function hasBegun(status: TargetStatus): boolean {
  return status !== 'pending' && status !== 'skipped';
}

/** The server failed the target because of a timeout, so a reported `failed` adds the reason. */
function isTimedOut(target: ReportContext): boolean {
  return target.status === 'failed' && target.timedOut;
}

/** The target was skipped because the device polled, but the device is still updating. */
function isStillUpdating(target: ReportContext, reported: ReportedStatus): boolean {
  return target.status === 'skipped' && target.skipReason === 'aborted' && isUpdating(reported);
}

function isResult(reported: ReportedStatus): boolean {
  return reported === 'completed' || reported === 'failed' || reported === 'rolled_back';
}

/**
 * Whether the response to an accepted report has `directive: abort`: after a cancel, a device stops if it has not
 * reached `installing` (docs/contract.md, Strategies). `target` is the target before the report.
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
  // On a failed target, the same message means that the first failure is repeated. After a timeout, the report is the
  // first failure itself.
  if (target.status !== 'failed' || target.timedOut) return false;
  return (report.errorMessage ?? null) !== target.errorMessage;
}
