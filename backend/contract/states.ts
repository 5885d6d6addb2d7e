/**
 * The vocabulary of the product: every status, strategy and action that appears on the wire, in the
 * database, in the page and in the agent. No runtime dependencies; safe to import anywhere.
 */

export const DEPLOYMENT_STATUSES = [
  'pending',
  'in_progress',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number];

export const DEPLOYMENT_ACTIONS = [
  'start',
  'pause',
  'resume',
  'cancel',
  'expand',
  'retry',
] as const;
export type DeploymentAction = (typeof DEPLOYMENT_ACTIONS)[number];

export const PAUSED_REASONS = ['admin', 'failure_threshold'] as const;
export type PausedReason = (typeof PAUSED_REASONS)[number];

/** Why the page asks for the number of devices to be typed before a rollout. */
export const IMPACT_REASONS = ['downgrade', 'several_types', 'large_share'] as const;
export type ImpactReason = (typeof IMPACT_REASONS)[number];

export const TARGET_STATUSES = [
  'pending',
  'downloading',
  'installing',
  'verifying',
  'completed',
  'failed',
  'skipped',
  'rolled_back',
] as const;
export type TargetStatus = (typeof TARGET_STATUSES)[number];

/** Statuses of a device that has begun an update and not ended it. */
export const UPDATING_TARGET_STATUSES = ['downloading', 'installing', 'verifying'] as const;
/** Statuses after which nothing more happens unless an admin retries or rolls back. */
export const FINISHED_TARGET_STATUSES = ['completed', 'failed', 'skipped', 'rolled_back'] as const;

/**
 * What a device may report. `skipped` means "stopped untouched, because the server answered
 * `directive: abort`"; it is accepted for a cancelled deployment only.
 */
export const REPORTED_STATUSES = [
  'downloading',
  'installing',
  'verifying',
  'completed',
  'failed',
  'rolled_back',
  'skipped',
] as const;
export type ReportedStatus = (typeof REPORTED_STATUSES)[number];

export const ROLLOUT_STRATEGIES = ['manual', 'immediate', 'canary', 'rolling'] as const;
export type RolloutStrategy = (typeof ROLLOUT_STRATEGIES)[number];

export const VERSION_OPERATORS = ['<', '<=', '!=', '=', '>', '>='] as const;
export type VersionOperator = (typeof VERSION_OPERATORS)[number];

export const DEVICE_CONNECTION_FILTERS = ['', 'online', 'offline'] as const;
export type DeviceConnectionFilter = (typeof DEVICE_CONNECTION_FILTERS)[number];
