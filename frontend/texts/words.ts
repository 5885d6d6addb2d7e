/** The vocabulary of the product in words: states, strategies, operators, events. */
import type { BatchState, EventType } from '../../backend/contract/admin-api.ts';
import type {
  DeploymentStatus,
  DeviceConnectionFilter,
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

const strategyName: Record<RolloutStrategy, string> = {
  manual: 'Manual',
  immediate: 'Immediate',
  canary: 'Canary',
  rolling: 'Rolling',
};

const strategyHelp: Record<RolloutStrategy, string> = {
  manual: 'Exactly the devices you pick. For critical updates and single devices.',
  immediate: 'All matching devices at once. For urgent fixes; nothing is tried out first.',
  canary: 'A share of the devices first. The rest follows when you expand.',
  rolling: 'Batch after batch, by itself, as long as the failure threshold is kept.',
};

export const operator: Record<VersionOperator, string> = {
  '<': 'lower than',
  '<=': 'lower than or equal',
  '!=': 'not equal',
  '=': 'equal',
  '>': 'higher than',
  '>=': 'higher than or equal',
};

export const connection: Record<DeviceConnectionFilter, string> = {
  '': 'Online and offline',
  online: 'Online only',
  offline: 'Offline only',
};

const batchState: Record<BatchState, string> = {
  planned: 'Planned',
  releasing: 'Releasing',
  running: 'Running',
  ended: 'Ended',
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
  failed: 'Ended with failures',
  device_failed: 'Device failed',
  device_rolled_back: 'Device rolled back',
  device_timed_out: 'Device timed out',
  devices_skipped: 'Devices skipped',
  rollback_requested: 'Rollback requested',
  rollback_failed: 'Rollback failed',
  rollback_withdrawn: 'Rollback withdrawn',
  version_changed_outside: 'Version changed by something else',
};

/** Words for the facts an event carries, where the raw value would be cryptic. */
export const eventFact: Record<string, string> = {
  failure_threshold: 'failure threshold exceeded',
  admin: 'by hand',
  superseded: 'superseded by a newer deployment',
  not_checked_in: 'did not check in',
  device_removed: 'removed from Ops-Center',
  removed: 'removed from Ops-Center',
  moved: 'moved to another organization',
  not_registered: 'never registered',
  cancelled: 'cancelled',
  aborted: 'stopped by the device',
};

/** Words of every state: of a deployment, a device in it, a batch. */
export const status = { deployment: deploymentStatus, target: targetStatus, batch: batchState };

export const strategy = { name: strategyName, help: strategyHelp };

export const risk = { low: 'Low risk', medium: 'Medium risk', high: 'High risk' };
