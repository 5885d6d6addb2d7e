/** Labels of statuses, strategies, version operators, batch states and events. */
import type { BatchState, EventType } from '../../backend/contract/admin-api.ts';
import type {
  DeploymentStatus,
  DeviceActivity,
  DeviceConnectionFilter,
  FailureCause,
  Protection,
  RolloutStrategy,
  TargetStatus,
  VersionOperator,
} from '../../backend/contract/states.ts';

const deploymentStatus: Record<DeploymentStatus, string> = {
  pending: 'Pending',
  in_progress: 'In progress',
  paused: 'Paused',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

const targetStatus: Record<TargetStatus, string> = {
  pending: 'Pending',
  downloading: 'Downloading',
  installing: 'Installing',
  verifying: 'Verifying',
  completed: 'Completed',
  failed: 'Failed',
  skipped: 'Skipped',
  rolled_back: 'Rolled back',
};

export const activity: Record<DeviceActivity, string> = {
  rebooting: 'Rebooting',
};

export const failureCause: Record<FailureCause, string> = {
  download: 'Download',
  verification: 'Package check',
  space: 'Disk space',
  install: 'Installation',
  health: 'Health check',
  reboot: 'Reboot',
  timeout: 'No report in time',
  aborted: 'Stopped',
  other: 'Other cause',
};

/** What brings a device back; follows "Protected by". */
export const protection: Record<Protection, string> = {
  none: 'Nothing',
  files: 'Files',
  files_and_boot: 'Files and boot loader',
  slots: 'Second system slot',
};

const strategyName: Record<RolloutStrategy, string> = {
  manual: 'Manual',
  immediate: 'Immediate',
  canary: 'Canary',
  rolling: 'Rolling',
};

const strategyHelp: Record<RolloutStrategy, string> = {
  manual: 'Only the devices you pick. For critical updates and single devices.',
  immediate: 'All matching devices at once, without a trial. For urgent fixes.',
  canary: 'A share of the devices first, the rest when you expand.',
  rolling: 'One batch after another, automatically, unless the failure threshold is exceeded.',
};

export const operator: Record<VersionOperator, string> = {
  '<': 'less than',
  '<=': 'less than or equal to',
  '!=': 'not equal to',
  '=': 'equal to',
  '>': 'greater than',
  '>=': 'greater than or equal to',
};

export const connection: Record<DeviceConnectionFilter, string> = {
  '': 'Online and offline',
  online: 'Online only',
  offline: 'Offline only',
};

export const deviceStatus = { online: 'Online', offline: 'Offline' };

const batchState: Record<BatchState, string> = {
  planned: 'Planned',
  releasing: 'Releasing',
  running: 'Running',
  ended: 'Finished',
};

export const eventTitle: Record<EventType, string> = {
  created: 'Deployment created',
  started: 'Started',
  paused: 'Paused',
  resumed: 'Resumed',
  cancelled: 'Cancelled',
  expanded: 'Expanded',
  retried: 'Retried',
  batch_released: 'Batch released',
  completed: 'Completed',
  failed: 'Finished with failures',
  device_failed: 'Device failed',
  device_rolled_back: 'Device rolled back',
  device_timed_out: 'Device timed out',
  devices_skipped: 'Devices skipped',
  rollback_requested: 'Rollback requested',
  rollback_failed: 'Rollback failed',
  rollback_withdrawn: 'Rollback cancelled',
  version_changed_outside: 'Version changed outside the deployment',
};

/** Reasons in an event's data that have a label; other reasons are free text and shown as they are. */
export const eventReason: Record<string, string> = {
  failure_threshold: 'failure threshold exceeded',
  admin: 'manually',
  superseded: 'superseded by a newer deployment',
  not_checked_in: 'did not check in',
  device_removed: 'removed from Ops-Center',
  removed: 'removed from Ops-Center',
  moved: 'moved to another organization',
  not_registered: 'never registered',
  cancelled: 'cancelled',
  aborted: 'stopped by the device',
};

export const status = { deployment: deploymentStatus, target: targetStatus, batch: batchState };

export const strategy = { name: strategyName, help: strategyHelp };

export const risk = { low: 'Low risk', medium: 'Medium risk', high: 'High risk' };
