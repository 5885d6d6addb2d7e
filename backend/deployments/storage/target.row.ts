import type {
  DeviceActivity,
  FailureCause,
  SkipReason,
  TargetStatus,
} from '../../contract/states.ts';
import type { Target } from '../model/deployment.types.ts';

/** A row of `ota_deployment_devices`. */
export interface TargetRow {
  deployment_id: string;
  device_id: string;
  position: number;
  status: TargetStatus;
  attempt: number;
  progress: number | null;
  activity: DeviceActivity | null;
  previous_version: string | null;
  started_at: Date | null;
  completed_at: Date | null;
  last_report_at: Date | null;
  error_message: string | null;
  failure_cause: FailureCause | null;
  timed_out: boolean;
  skip_reason: SkipReason | null;
  rollback_version: string | null;
  rollback_requested_by: string | null;
  rolled_back_on_request: boolean;
  update_ended_at: Date | null;
}

/** All columns of {@link TargetRow}. */
export const TARGET_COLUMNS = [
  'deployment_id',
  'device_id',
  'position',
  'status',
  'attempt',
  'progress',
  'activity',
  'previous_version',
  'started_at',
  'completed_at',
  'last_report_at',
  'error_message',
  'failure_cause',
  'timed_out',
  'skip_reason',
  'rollback_version',
  'rollback_requested_by',
  'rolled_back_on_request',
  'update_ended_at',
] as const satisfies readonly (keyof TargetRow)[];

export function toTarget(row: TargetRow): Target {
  return {
    deploymentId: row.deployment_id,
    deviceId: row.device_id,
    position: row.position,
    status: row.status,
    attempt: row.attempt,
    progress: row.progress,
    activity: row.activity,
    previousVersion: row.previous_version,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    lastReportAt: row.last_report_at,
    errorMessage: row.error_message,
    failureCause: row.failure_cause,
    timedOut: row.timed_out,
    skipReason: row.skip_reason,
    rollbackVersion: row.rollback_version,
    rollbackRequestedBy: row.rollback_requested_by,
    rolledBackOnRequest: row.rolled_back_on_request,
    updateFinishedAt: row.update_ended_at,
  };
}

export function toRow(target: Target): TargetRow {
  return {
    deployment_id: target.deploymentId,
    device_id: target.deviceId,
    position: target.position,
    status: target.status,
    attempt: target.attempt,
    progress: target.progress,
    activity: target.activity,
    previous_version: target.previousVersion,
    started_at: target.startedAt,
    completed_at: target.completedAt,
    last_report_at: target.lastReportAt,
    error_message: target.errorMessage,
    failure_cause: target.failureCause,
    timed_out: target.timedOut,
    skip_reason: target.skipReason,
    rollback_version: target.rollbackVersion,
    rollback_requested_by: target.rollbackRequestedBy,
    rolled_back_on_request: target.rolledBackOnRequest,
    update_ended_at: target.updateFinishedAt,
  };
}
