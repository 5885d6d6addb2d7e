/** Wire types of the admin API, `/api/v1/admin/ota`. Times are ISO 8601 in UTC, sizes bytes. */
import type { Count, Ordinal, Percent, Timestamp, Uuid } from './scalars.ts';
import type {
  DeploymentAction,
  DeploymentStatus,
  DeviceConnectionFilter,
  ImpactReason,
  PausedReason,
  RolloutStrategy,
  TargetStatus,
  VersionOperator,
} from './states.ts';

export interface DeviceFilters {
  device_type?: string;
  current_version?: string;
  /** Default `!=`; only with `current_version`. */
  version_operator?: VersionOperator;
  status?: DeviceConnectionFilter;
  device_ids?: Uuid[];
}

export interface RolloutPolicy {
  /** Percent of ended targets; `null` turns the failure threshold off. Default 25. */
  failure_threshold_percent: Percent | null;
  /** The threshold is looked at from so many ended targets on. Default 5. */
  failure_min_devices: Ordinal;
  /** An unfinished target without a report for so long fails. Default 60. */
  device_timeout_minutes: Ordinal;
  /** A released target whose device never came is skipped. Default 24 for rolling, else `null`. */
  pickup_timeout_hours: number | null;
}

/** `POST /deployments`, `POST /deployments/preview` */
export interface CreateDeploymentRequest {
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  /** Canary: share of the first batch (default 10). Rolling: share of each batch (default 20). */
  rollout_percentage?: Percent;
  /** Rolling only, instead of a percentage. */
  batch_size?: Ordinal;
  device_filters?: DeviceFilters;
  /** Hand-picked devices; the same as `device_filters.device_ids`. */
  device_ids?: Uuid[];
  /** Leaves out devices that run the target version already; default false. */
  skip_up_to_date?: boolean;
  update_package_url: string;
  /** `sha256:<64 hex>` or `<64 hex>`. */
  checksum: string;
  release_notes?: string;
  policy?: Partial<RolloutPolicy>;
  scheduled_at?: Timestamp;
  manifest?: string;
  signature?: string;
}

export interface BatchPlanEntry {
  number: Ordinal;
  size: Count;
  /** How the batch is released: with the start, by itself after the one before, or by `expand`. */
  release: 'start' | 'automatic' | 'expand';
}

export interface DeploymentPreview {
  /** Devices that would get the update. */
  matching_devices: Count;
  /**
   * Devices that pass the filters and run the target version already. With `skip_up_to_date` they are left
   * out, otherwise they are among the matching ones. `null`: no target version was given.
   */
  up_to_date: Count | null;
  by_type: { device_type: string | null; count: Count }[];
  by_version: { version: string | null; count: Count }[];
  /** Devices left out because their version cannot be ordered. */
  not_comparable: { version: string | null; count: Count }[];
  batches: BatchPlanEntry[];
}

/** What an update changes, in devices. `unknown`: their version is not known, or cannot be compared. */
export interface VersionChanges {
  upgrade: Count;
  downgrade: Count;
  same: Count;
  unknown: Count;
}

/** A deployment in progress that holds devices of another one. */
export interface OverlappingDeployment {
  deployment_id: Uuid;
  deployment_name: string;
  target_version: string;
  status: DeploymentStatus;
  /** Devices that both hold and that have not finished in this one. */
  devices: Count;
}

/**
 * `POST /deployments/impact` (body as for a preview) and `GET /deployments/:id/impact`: what the rollout would do to
 * the fleet as it is now.
 */
export interface DeploymentImpact {
  /** Devices that would get the update; of an existing deployment those that have not finished. */
  devices: Count;
  /** Registered devices of the organization. */
  fleet_devices: Count;
  changes: VersionChanges;
  by_type: { device_type: string | null; count: Count }[];
  /** The ten that share the most devices. */
  overlapping: OverlappingDeployment[];
  /**
   * Why an operator should confirm the number of devices: some would get an older version, they are of several types,
   * or more than a fifth of the fleet would get the update at once (`immediate`, and `manual` by filters).
   */
  confirm_because: ImpactReason[];
}

export interface DeploymentProgress {
  total_devices: Count;
  completed: Count;
  failed: Count;
  /** downloading + installing + verifying */
  in_progress: Count;
  pending: Count;
  skipped: Count;
  rolled_back: Count;
  /** completed ÷ total in percent, one decimal. */
  percentage: Percent;
}

export type StatusBreakdown = Record<TargetStatus, Count>;

/** What stands in a list, and the head of every single-deployment answer. */
export interface DeploymentSummary {
  deployment_id: Uuid;
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  rollout_percentage: Percent | null;
  batch_size: Ordinal | null;
  status: DeploymentStatus;
  paused_reason: PausedReason | null;
  total_devices: Count;
  completed_devices: Count;
  failed_devices: Count;
  rolled_back_devices: Count;
  progress_percentage: Percent;
  allowed_actions: DeploymentAction[];
  scheduled_at: Timestamp | null;
  started_at: Timestamp | null;
  completed_at: Timestamp | null;
  created_at: Timestamp;
  created_by: string | null;
}

/** 201 answer of `POST /deployments`. */
export interface CreatedDeployment extends DeploymentSummary {
  target_devices: Count;
}

export interface Pagination {
  page: Ordinal;
  page_size: Ordinal;
  total_count: Count;
  total_pages: Count;
}

/** `GET /deployments` */
export interface DeploymentList {
  deployments: DeploymentSummary[];
  pagination: Pagination;
}

export type BatchState = 'planned' | 'releasing' | 'running' | 'ended';

export interface BatchView {
  number: Ordinal;
  size: Count;
  state: BatchState;
  released_at: Timestamp | null;
  status_breakdown: StatusBreakdown;
}

/**
 * Where a deployment stands: `not_started`, `rolling_out`, `canary_running` (a canary whose released devices have
 * not all finished), `awaiting_expansion` (they have, and the rest waits for `expand`), `ended`.
 */
export type DeploymentPhase =
  'not_started' | 'rolling_out' | 'canary_running' | 'awaiting_expansion' | 'ended';

/** `GET /deployments/:id` and the answer of every action on a deployment. */
export interface DeploymentDetail extends DeploymentSummary {
  metadata: {
    update_package_url: string;
    checksum: string;
    release_notes: string;
    device_filters: DeviceFilters;
  };
  /** Devices that ran the target version when the deployment was created were left out. */
  skip_up_to_date: boolean;
  policy: RolloutPolicy;
  phase: DeploymentPhase;
  progress: DeploymentProgress;
  status_breakdown: StatusBreakdown;
  batches: BatchView[];
  released_devices: Count;
  /** Devices that `retry` takes up again: failed ones, and those that went back by themselves. */
  retryable_devices: Count;
  /** The first 100 targets; page through `GET /deployments/:id/devices` for the rest. */
  devices: TargetView[];
}

export interface TargetView {
  /** Uuid of the device in Ops-Center. */
  device_id: Uuid;
  device_name: string | null;
  device_type: string | null;
  /** Version the device runs now, as Ops-Center knows it. */
  current_version: string | null;
  /** Version before this deployment. */
  previous_version: string | null;
  batch: Ordinal;
  released: boolean;
  attempt: Ordinal;
  status: TargetStatus;
  /** Percent of the current step, when the agent tells. */
  progress: Percent | null;
  started_at: Timestamp | null;
  completed_at: Timestamp | null;
  last_report_at: Timestamp | null;
  /** From the start of the attempt to its end; rolling back later does not make it longer. */
  duration_seconds: number | null;
  error_message: string | null;
  /** The device did not report within the time limit, so what it runs is not certain. */
  timed_out: boolean;
  /** What retries followed, oldest first; the last 20 at most. */
  earlier_attempts: EarlierAttempt[];
  /** The version an admin asked the device to go back to, until it did. */
  rollback_requested: string | null;
}

/** An attempt that was followed by a retry, as it finished. */
export interface EarlierAttempt {
  attempt: Ordinal;
  status: TargetStatus;
  error_message: string | null;
  started_at: Timestamp | null;
  completed_at: Timestamp | null;
}

/** `GET /deployments/:id/devices?status&batch&search&cursor&limit` */
export interface TargetPage {
  devices: TargetView[];
  next_cursor: string | null;
}

/** `POST /deployments/:id/expand` */
export interface ExpandRequest {
  percentage?: Percent;
}

/** `POST /deployments/:id/retry` */
export interface RetryRequest {
  device_ids?: Uuid[];
}

export interface RetryResponse {
  retried_devices: Count;
  deployment: DeploymentDetail;
}

/** `POST /deployments/:id/devices/:device_id/rollback` → 202 */
export interface RollbackRequest {
  previous_version?: string;
  /** Also where the device has completed a newer deployment since, which is then undone. */
  force?: boolean;
}

export interface RollbackAccepted {
  status: 'accepted';
  message: string;
}

/** `GET /deployments/:id/devices/:device_id/logs` */
export interface InstallLogs {
  attempts: { attempt: Ordinal; log: string; bytes: Count; updated_at: Timestamp }[];
}

export const EVENT_TYPES = [
  'created',
  'started',
  'paused',
  'resumed',
  'cancelled',
  'expanded',
  'retried',
  'batch_released',
  'completed',
  'failed',
  'device_failed',
  'device_rolled_back',
  'device_timed_out',
  'devices_skipped',
  'rollback_requested',
  'rollback_failed',
  'rollback_withdrawn',
  'version_changed_outside',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface DeploymentEvent {
  id: string;
  at: Timestamp;
  type: EventType;
  actor: {
    type: 'admin' | 'device' | 'system';
    id: string | null;
    name: string | null;
    /** Of admins: the address they came from, as the host saw it. */
    address: string | null;
  };
  device_id: Uuid | null;
  /** Facts of the event: e.g. `{batch: 2, devices: 36}` or `{reason: "failure_threshold"}`. */
  data: Record<string, unknown>;
}

/** `GET /deployments/:id/events?cursor`, newest first. */
export interface EventPage {
  events: DeploymentEvent[];
  next_cursor: string | null;
}

/** `GET /devices?search&device_type&status&cursor&limit` */
export interface DevicePage {
  devices: DeviceView[];
  next_cursor: string | null;
  facets: {
    types: { device_type: string | null; count: Count }[];
    versions: { version: string | null; count: Count }[];
  };
  /** Of the facets. */
  facets_as_of: CountedAt;
}

export interface DeviceView {
  device_id: Uuid;
  device_name: string;
  device_type: string | null;
  hardware_id: string | null;
  status: string | null;
  current_version: string | null;
  last_seen: Timestamp | null;
}

/**
 * When devices were counted. Up to 5,000 are counted for each answer; more of them in the background, and
 * `null` says that this has not happened yet: lists are empty then, and ask again in a moment.
 */
export type CountedAt = Timestamp | null;

/** `GET /metrics?deployment_id`; `null` where there is nothing to divide by. */
export interface OtaMetrics {
  /** Percent, one decimal. */
  success_rate: Percent | null;
  rollback_rate: Percent | null;
  compliance: Percent | null;
  average_duration_seconds: number | null;
  total_deployments: Count;
  active_deployments: Count;
  total_targets: Count;
  /** Versions in the fleet (or among the deployment's devices), by device type. */
  versions: { device_type: string | null; version: string | null; count: Count }[];
  /**
   * Ended targets over time, oldest first; empty buckets are left out. Over a whole organization: of the last
   * 90 days.
   */
  ended_over_time: { at: Timestamp; completed: Count; failed: Count; rolled_back: Count }[];
  /** Of `versions` and `compliance`; the other figures are always those of now. */
  as_of: CountedAt;
}

/**
 * Server-sent events of `GET /stream` and `GET /deployments/:id/stream`. The SSE `event` field is
 * `type`; `data` is the JSON of the rest. `reset` tells that events were missed and the client should
 * fetch anew: one deployment, or everything it shows (`null`). `heartbeat` comes every 15 seconds: a
 * client that has heard nothing for twice as long should doubt the connection.
 */
export type StreamEvent =
  | ({ type: 'deployment' } & DeploymentSummary)
  | ({
      type: 'progress';
      deployment_id: Uuid;
      status_breakdown: StatusBreakdown;
    } & DeploymentProgress)
  | { type: 'device'; deployment_id: Uuid; device: TargetView }
  | { type: 'reset'; deployment_id: Uuid | null }
  | { type: 'heartbeat'; at: Timestamp };
