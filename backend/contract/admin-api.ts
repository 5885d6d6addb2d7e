/** Wire types of the admin API, `/api/v1/admin/ota`. Times are ISO 8601 in UTC, sizes bytes. */
import type {
  DeploymentAction,
  DeploymentStatus,
  DeviceConnectionFilter,
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
  device_ids?: string[];
}

export interface RolloutPolicy {
  /** Percent of ended targets; `null` turns the failure threshold off. Default 25. */
  failure_threshold_percent: number | null;
  /** The threshold is looked at from so many ended targets on. Default 5. */
  failure_min_devices: number;
  /** An unfinished target without a report for so long fails. Default 60. */
  device_timeout_minutes: number;
  /** A released target whose device never came is skipped. Default 24 for rolling, else `null`. */
  pickup_timeout_hours: number | null;
}

/** `POST /deployments`, `POST /deployments/preview` */
export interface CreateDeploymentRequest {
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  /** Canary: share of the first batch (default 10). Rolling: share of each batch (default 20). */
  rollout_percentage?: number;
  /** Rolling only, instead of a percentage. */
  batch_size?: number;
  device_filters?: DeviceFilters;
  /** Hand-picked devices; the same as `device_filters.device_ids`. */
  device_ids?: string[];
  update_package_url: string;
  /** `sha256:<64 hex>` or `<64 hex>`. */
  checksum: string;
  release_notes?: string;
  policy?: Partial<RolloutPolicy>;
  scheduled_at?: string;
  manifest?: string;
  signature?: string;
}

export interface BatchPlanEntry {
  number: number;
  size: number;
  /** How the batch is released: with the start, by itself after the one before, or by `expand`. */
  release: 'start' | 'automatic' | 'expand';
}

export interface DeploymentPreview {
  matching_devices: number;
  by_type: { device_type: string | null; count: number }[];
  by_version: { version: string | null; count: number }[];
  /** Devices left out because their version cannot be ordered. */
  not_comparable: { version: string | null; count: number }[];
  batches: BatchPlanEntry[];
}

export interface DeploymentProgress {
  total_devices: number;
  completed: number;
  failed: number;
  /** downloading + installing + verifying */
  in_progress: number;
  pending: number;
  skipped: number;
  rolled_back: number;
  /** completed ÷ total in percent, one decimal. */
  percentage: number;
}

export type StatusBreakdown = Record<TargetStatus, number>;

/** What stands in a list, and the head of every single-deployment answer. */
export interface DeploymentSummary {
  deployment_id: string;
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  rollout_percentage: number | null;
  batch_size: number | null;
  status: DeploymentStatus;
  paused_reason: PausedReason | null;
  total_devices: number;
  completed_devices: number;
  failed_devices: number;
  rolled_back_devices: number;
  progress_percentage: number;
  allowed_actions: DeploymentAction[];
  scheduled_at: string | null;
  started_at: string | null;
  completed_at: string | null;
  created_at: string;
  created_by: string | null;
}

/** 201 answer of `POST /deployments`. */
export interface CreatedDeployment extends DeploymentSummary {
  target_devices: number;
}

export interface Pagination {
  page: number;
  page_size: number;
  total_count: number;
  total_pages: number;
}

/** `GET /deployments` */
export interface DeploymentList {
  deployments: DeploymentSummary[];
  pagination: Pagination;
}

export type BatchState = 'planned' | 'releasing' | 'running' | 'ended';

export interface BatchView {
  number: number;
  size: number;
  state: BatchState;
  released_at: string | null;
  status_breakdown: StatusBreakdown;
}

/**
 * Where a deployment stands: `not_started`, `rolling_out`, `awaiting_expansion` (a canary whose rest
 * waits for `expand`), `ended`.
 */
export type DeploymentPhase = 'not_started' | 'rolling_out' | 'awaiting_expansion' | 'ended';

/** `GET /deployments/:id` and the answer of every action on a deployment. */
export interface DeploymentDetail extends DeploymentSummary {
  metadata: {
    update_package_url: string;
    checksum: string;
    release_notes: string;
    device_filters: DeviceFilters;
  };
  policy: RolloutPolicy;
  phase: DeploymentPhase;
  progress: DeploymentProgress;
  status_breakdown: StatusBreakdown;
  batches: BatchView[];
  released_devices: number;
  /** Devices that `retry` takes up again: failed ones, and those that went back by themselves. */
  retryable_devices: number;
  /** The first 100 targets; page through `GET /deployments/:id/devices` for the rest. */
  devices: TargetView[];
}

export interface TargetView {
  /** Uuid of the device in Ops-Center. */
  device_id: string;
  device_name: string | null;
  device_type: string | null;
  /** Version the device runs now, as Ops-Center knows it. */
  current_version: string | null;
  /** Version before this deployment. */
  previous_version: string | null;
  batch: number;
  released: boolean;
  attempt: number;
  status: TargetStatus;
  /** Percent of the current step, when the agent tells. */
  progress: number | null;
  started_at: string | null;
  completed_at: string | null;
  last_report_at: string | null;
  error_message: string | null;
  /** The version an admin asked the device to go back to, until it did. */
  rollback_requested: string | null;
}

/** `GET /deployments/:id/devices?status&batch&search&cursor&limit` */
export interface TargetPage {
  devices: TargetView[];
  next_cursor: string | null;
}

/** `POST /deployments/:id/expand` */
export interface ExpandRequest {
  percentage?: number;
}

/** `POST /deployments/:id/retry` */
export interface RetryRequest {
  device_ids?: string[];
}

export interface RetryResponse {
  retried_devices: number;
  deployment: DeploymentDetail;
}

/** `POST /deployments/:id/devices/:device_id/rollback` → 202 */
export interface RollbackRequest {
  previous_version?: string;
}

export interface RollbackAccepted {
  status: 'accepted';
  message: string;
}

/** `GET /deployments/:id/devices/:device_id/logs` */
export interface InstallLogs {
  attempts: { attempt: number; log: string; bytes: number; updated_at: string }[];
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
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface DeploymentEvent {
  id: string;
  at: string;
  type: EventType;
  actor: { type: 'admin' | 'device' | 'system'; id: string | null; name: string | null };
  device_id: string | null;
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
    types: { device_type: string | null; count: number }[];
    versions: { version: string | null; count: number }[];
  };
}

export interface DeviceView {
  device_id: string;
  device_name: string;
  device_type: string | null;
  hardware_id: string | null;
  status: string | null;
  current_version: string | null;
  last_seen: string | null;
}

/** `GET /metrics?deployment_id`; `null` where there is nothing to divide by. */
export interface OtaMetrics {
  /** Percent, one decimal. */
  success_rate: number | null;
  rollback_rate: number | null;
  compliance: number | null;
  average_duration_seconds: number | null;
  total_deployments: number;
  active_deployments: number;
  total_targets: number;
  /** Versions in the fleet (or among the deployment's devices), by device type. */
  versions: { device_type: string | null; version: string | null; count: number }[];
  /** Ended targets over time, oldest first; empty buckets are left out. */
  ended_over_time: { at: string; completed: number; failed: number; rolled_back: number }[];
}

/**
 * Server-sent events of `GET /stream` and `GET /deployments/:id/stream`. The SSE `event` field is
 * `type`; `data` is the JSON of the rest. `reset` tells that events were missed and the client should
 * fetch anew.
 */
export type StreamEvent =
  | ({ type: 'deployment' } & DeploymentSummary)
  | ({
      type: 'progress';
      deployment_id: string;
      status_breakdown: StatusBreakdown;
    } & DeploymentProgress)
  | { type: 'device'; deployment_id: string; device: TargetView }
  | { type: 'reset' };
