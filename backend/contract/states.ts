/**
 * Every status, strategy and action of the API, the database, the page and the agent (docs/contract.md, States and
 * Strategies). No dependencies, so it can be imported anywhere.
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

/** Why a rollout is risky: the page starts it only after the number of devices has been typed. */
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

/** A target with one of these statuses is updating. */
export const UPDATING_TARGET_STATUSES = ['downloading', 'installing', 'verifying'] as const;
/** A target with one of these statuses has finished (docs/contract.md, Words). */
export const FINISHED_TARGET_STATUSES = ['completed', 'failed', 'skipped', 'rolled_back'] as const;

/**
 * The statuses that a device may report. `skipped` means that it stopped without changes because of
 * `directive: abort`; it is accepted only for a cancelled deployment.
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

/** What an updating device does that its status does not say. */
export const DEVICE_ACTIVITIES = ['rebooting'] as const;
export type DeviceActivity = (typeof DEVICE_ACTIVITIES)[number];

/**
 * The updates whose durations a forecast is based on: of the deployment itself, or of the latest deployments of the
 * organization. `assumed`: nothing has been updated yet.
 */
export const FORECAST_BASES = ['this_deployment', 'recent_deployments', 'assumed'] as const;
export type ForecastBasis = (typeof FORECAST_BASES)[number];

/** The action of an admin that a forecast takes to happen now, or as soon as it is due. */
export const ASSUMED_ACTIONS = ['start', 'resume', 'expand'] as const;
export type AssumedAction = (typeof ASSUMED_ACTIONS)[number];

/**
 * What an unfinished target waits for (docs/contract.md, Why not?). `offered`: for the device, which gets the update
 * with its next poll, or is updating.
 */
export const WAITING_REASONS = [
  'deployment_not_started',
  'scheduled',
  'paused',
  'failure_threshold',
  'batch',
  'expansion',
  'other_update',
  'not_seen',
  'offered',
  'rebooting',
  'deployment_ended',
] as const;
export type WaitingReason = (typeof WAITING_REASONS)[number];

/** Why a target was skipped. */
export const SKIP_REASONS = [
  'cancelled',
  'superseded',
  'not_checked_in',
  'aborted',
  'removed',
  'moved',
  'not_registered',
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** What made an update fail on its device, as the device reports it. */
export const FAILURE_CAUSES = [
  'download',
  'verification',
  'space',
  'install',
  'health',
  'reboot',
  'timeout',
  'aborted',
  'other',
] as const;
export type FailureCause = (typeof FAILURE_CAUSES)[number];

/**
 * What brings a device back after an update that fails. `none`: nothing. `files`: files are restored and health is
 * checked. `files_and_boot`: the boot loader also returns to the old kernel. `slots`: it returns to a whole old system.
 */
export const PROTECTIONS = ['none', 'files', 'files_and_boot', 'slots'] as const;
export type Protection = (typeof PROTECTIONS)[number];

export const ROLLOUT_STRATEGIES = ['manual', 'immediate', 'canary', 'rolling'] as const;
export type RolloutStrategy = (typeof ROLLOUT_STRATEGIES)[number];

export const VERSION_OPERATORS = ['<', '<=', '!=', '=', '>', '>='] as const;
export type VersionOperator = (typeof VERSION_OPERATORS)[number];

export const DEVICE_CONNECTION_FILTERS = ['', 'online', 'offline'] as const;
export type DeviceConnectionFilter = (typeof DEVICE_CONNECTION_FILTERS)[number];
