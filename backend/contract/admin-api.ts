/** Request and response types of the admin API, `/api/v1/admin/ota` (docs/contract.md, Admin API). */
import type { Components } from './device-api.ts';
import type { Count, Ordinal, Percent, Timestamp, Uuid } from './scalars.ts';
import type {
  AssumedAction,
  DeploymentAction,
  DeploymentStatus,
  DeviceActivity,
  DeviceConnectionFilter,
  FailureCause,
  ForecastBasis,
  ImpactReason,
  PausedReason,
  Protection,
  RolloutStrategy,
  SkipReason,
  TargetStatus,
  VersionOperator,
  WaitingReason,
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
  /** Percent of the finished targets that may fail; `null` turns the failure threshold off. Default 25. */
  failure_threshold_percent: Percent | null;
  /** The failure threshold applies once this many targets have finished. Default 5. */
  failure_min_devices: Ordinal;
  /** An updating target fails after this long without a report. Default 60. */
  device_timeout_minutes: Ordinal;
  /** A released target is skipped if its device does not poll for this long. `null`: no limit. Default 24 for rolling, else `null`. */
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
  /** Devices picked by id; the same as `device_filters.device_ids`. */
  device_ids?: Uuid[];
  /** Leaves out devices that already run the target version. Default false. */
  skip_up_to_date?: boolean;
  /**
   * Canary only: keys of the devices' `metadata`. The first batch represents their values, as it does device types and
   * versions. Default none.
   */
  stratify_by?: string[];
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
  /** When the batch is released: at the start, automatically after the previous batch, or by `expand`. */
  release: 'start' | 'automatic' | 'expand';
}

/** Devices of one type that run the same version of the deployment's product and have the same attributes. */
export interface DeviceKind {
  device_type: string | null;
  version: string | null;
  /** The values of the attributes in `stratify_by`; `null`: the devices do not have it. */
  attributes: Record<string, string | null>;
  count: Count;
}

/** The kinds of devices that the first batch of a canary represents (docs/contract.md, Order of a canary). */
export interface CanaryCoverage {
  kinds: Count;
  /** Kinds with at least one device in the first batch. */
  covered_kinds: Count;
  /** The first ten of the other kinds, largest first. */
  missing: DeviceKind[];
  /** How many devices of each kind are in the first batch; the first 50 kinds. */
  by_kind: (DeviceKind & { first_batch: Count })[];
  /** There are more than 1,000 kinds; the devices of all smaller ones count as one kind, which is not listed. */
  has_other_kinds: boolean;
  /** The lowest `rollout_percentage` whose first batch has a device of every kind. */
  percentage_for_all: Percent;
}

export interface DeploymentPreview {
  /** Devices that would get the update. */
  matching_devices: Count;
  /**
   * Devices that match the filters and already run the target version. With `skip_up_to_date` they are left out,
   * otherwise they are included in `matching_devices`. `null`: no target version was given.
   */
  up_to_date: Count | null;
  by_type: { device_type: string | null; count: Count }[];
  /** By the version of the deployment's product, which is the device's main product if there is no manifest. */
  by_version: { version: string | null; count: Count }[];
  /** Devices that are left out because their version cannot be ordered. */
  not_comparable: { version: string | null; count: Count }[];
  batches: BatchPlanEntry[];
  /** If it were created and started now. `null`: no device matches. */
  forecast: Forecast | null;
  /** Only for a canary that matches a device. */
  canary: CanaryCoverage | null;
}

/**
 * When the deployment will have finished (docs/contract.md, Forecast). Nine of ten deployments finish between `earliest`
 * and `latest`.
 */
export interface Forecast {
  earliest: Timestamp;
  /** `null`: devices hold up the end that do not poll, and no pickup timeout limits the wait for them. */
  likely: Timestamp | null;
  latest: Timestamp | null;
  basis: {
    durations: ForecastBasis;
    /** The number of updates whose durations are used. */
    updates: Count;
    /** The actions of an admin that the forecast takes to happen now, or as soon as they are due. */
    assumes: AssumedAction[];
    /** Released devices that have not polled, although there was time for three polls. */
    not_polling: Count;
  };
}

/** Numbers of devices by what the update does to their version. `unknown`: the version is unknown or cannot be compared. */
export interface VersionChanges {
  upgrade: Count;
  downgrade: Count;
  same: Count;
  unknown: Count;
}

/** Numbers of devices by {@link Protection}. `unknown`: the device has not reported it. */
export type ProtectionCounts = Record<Protection | 'unknown', Count>;

/** A deployment in progress that has some of the same devices. */
export interface OverlappingDeployment {
  deployment_id: Uuid;
  deployment_name: string;
  target_version: string;
  status: DeploymentStatus;
  /** Devices of both deployments that have not finished in this one. */
  devices: Count;
}

/**
 * `POST /deployments/impact` (body as for a preview) and `GET /deployments/:id/impact`: what the rollout would do to
 * the fleet in its current state.
 */
export interface DeploymentImpact {
  /** Devices that would get the update; for an existing deployment, those that have not finished. */
  devices: Count;
  /** Registered devices of the organization. */
  fleet_devices: Count;
  changes: VersionChanges;
  /** What brings the devices back if the update fails. */
  protection: ProtectionCounts;
  by_type: { device_type: string | null; count: Count }[];
  /** The ten deployments with the most common devices. */
  overlapping: OverlappingDeployment[];
  /**
   * Why an operator should confirm the number of devices: some devices would be downgraded, one package goes to several
   * device types, or more than a fifth of the fleet gets the update at once (`immediate`, or `manual` by filters).
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

/** A deployment in a list; also included in every response about a single deployment. */
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
  /** `null`: the deployment has finished or was cancelled. */
  forecast: Forecast | null;
}

/** `POST /deployments` → 201 */
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
 * The phase of a deployment: `not_started`, `rolling_out`, `canary_running` (a canary whose released devices have not
 * all finished), `awaiting_expansion` (all have finished; the others wait for `expand`), or `ended`.
 */
export type DeploymentPhase =
  'not_started' | 'rolling_out' | 'canary_running' | 'awaiting_expansion' | 'ended';

/** `GET /deployments/:id`, and the response to every action on a deployment. */
export interface DeploymentDetail extends DeploymentSummary {
  metadata: {
    update_package_url: string;
    checksum: string;
    release_notes: string;
    device_filters: DeviceFilters;
  };
  /** Whether devices that already ran the target version at the creation were left out. */
  skip_up_to_date: boolean;
  /** The attributes that distinguished the kinds of devices of a canary. */
  stratify_by: string[];
  policy: RolloutPolicy;
  phase: DeploymentPhase;
  progress: DeploymentProgress;
  status_breakdown: StatusBreakdown;
  batches: BatchView[];
  released_devices: Count;
  /** Devices that `retry` would retry: those that failed, or rolled back without a request by an admin. */
  retryable_devices: Count;
  /** The first 100 targets; `GET /deployments/:id/devices` has all of them. */
  devices: TargetView[];
}

export interface TargetView {
  /** The UUID of the device in Ops-Center. */
  device_id: Uuid;
  device_name: string | null;
  device_type: string | null;
  /** The version of the deployment's product that the device runs now; `null`: unknown. */
  current_version: string | null;
  /** The version before this deployment. */
  previous_version: string | null;
  batch: Ordinal;
  released: boolean;
  attempt: Ordinal;
  status: TargetStatus;
  /** Percent of the current step, if the agent reports it. */
  progress: Percent | null;
  /** What the device does besides its status; only while it is `verifying`. */
  activity: DeviceActivity | null;
  started_at: Timestamp | null;
  completed_at: Timestamp | null;
  last_report_at: Timestamp | null;
  /** From the start of the attempt until it finished. A later rollback does not extend it. */
  duration_seconds: number | null;
  error_message: string | null;
  /** What made the update fail, if the agent reports it; `timeout`: the server got no report in time. */
  failure_cause: FailureCause | null;
  /** The target failed because of a timeout, so the version of the device is uncertain. */
  timed_out: boolean;
  /** The attempts before the latest retry, oldest first; at most the last 20. */
  earlier_attempts: EarlierAttempt[];
  /** The version of a requested rollback, until the device has answered the request. */
  rollback_requested: string | null;
  /** What brings the device back after an update that fails; `null`: the device has not reported it. */
  protection: Protection | null;
  /** Installed versions by package name; `null`: the device has not reported them. */
  components: Components | null;
  /** `null`: the target has finished. */
  waiting_for: WaitingFor | null;
}

/** What an unfinished target waits for. */
export interface WaitingFor {
  reason: WaitingReason;
  /** When the wait for this reason began; `null`: unknown. */
  since: Timestamp | null;
  /** When the wait ends by itself, or is given up; `null`: unknown, or never. */
  until: Timestamp | null;
  /** The deployment of the other update; only with `other_update`. */
  other_deployment: { deployment_id: Uuid; deployment_name: string; target_version: string } | null;
}

/**
 * `GET /devices/:device_id/explanation?deployment_id`. Without `deployment_id`: about the unfinished target that the device gets
 * next, or else its newest; the fields of the target are `null` if there is none.
 */
export interface DeviceExplanation {
  device_id: Uuid;
  device_name: string | null;
  /** The latest heartbeat that Ops-Center received. */
  last_seen: Timestamp | null;
  /** Recorded at most every five minutes; `null`: unknown. */
  last_polled_at: Timestamp | null;
  deployment_id: Uuid | null;
  deployment_name: string | null;
  target_version: string | null;
  target_status: TargetStatus | null;
  /** `null`: the target has finished, or there is none. */
  waiting_for: WaitingFor | null;
}

/** The result of an attempt that was followed by a retry. */
export interface EarlierAttempt {
  attempt: Ordinal;
  status: TargetStatus;
  error_message: string | null;
  failure_cause: FailureCause | null;
  started_at: Timestamp | null;
  completed_at: Timestamp | null;
}

/** `GET /deployments/:id/devices?status&batch&search&waiting_for&cursor&limit` */
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
  /** Roll back even if the device has completed a newer deployment, which this undoes. */
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
    /** Admins only: the IP address of the request, as the host determined it. */
    address: string | null;
  };
  device_id: Uuid | null;
  /** Details of the event, e.g. `{batch: 2, devices: 36}` or `{reason: "failure_threshold"}`. */
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
  /** When the facets were counted. */
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

/** `GET /devices/:device_id` */
export interface DeviceDetail extends DeviceView {
  /** Installed versions by package name; `null`: the device has not reported them. */
  components: Components | null;
  /** What brings the device back after an update that fails; `null`: the device has not reported it. */
  protection: Protection | null;
  /** What the host has recorded about the device, without nested values. */
  attributes: Record<string, DeviceAttribute>;
  /** When the device last asked for an update, to within five minutes; `null`: unknown. */
  last_polled_at: Timestamp | null;
  /** The target that the device works on or would get next; `null`: there is none. */
  current: DeviceTarget | null;
}

export type DeviceAttribute = string | number | boolean;

/** A target with its deployment. */
export interface DeviceTarget extends TargetView {
  deployment_id: Uuid;
  deployment_name: string;
  target_version: string;
  deployment_status: DeploymentStatus;
  deployment_created_at: Timestamp;
  /** Why the target was skipped; only while its status is `skipped`. */
  skip_reason: SkipReason | null;
  /** Whether an admin requested the rollback of a `rolled_back` target. */
  rolled_back_on_request: boolean;
}

/** `GET /devices/:device_id/history?cursor&limit`, newest deployment first. */
export interface DeviceHistory {
  targets: DeviceTarget[];
  /** A page may have fewer targets than `limit`, or none, although there are more. */
  next_cursor: string | null;
}

/**
 * When devices were counted. Up to 5,000 devices are counted for each response, more in the background. `null`: the
 * first count has not finished, so the lists are empty; repeat the request in a moment.
 */
export type CountedAt = Timestamp | null;

/** `GET /metrics?deployment_id`. A figure is `null` if there is nothing to divide by. */
export interface OtaMetrics {
  /** Percent, one decimal. */
  success_rate: Percent | null;
  rollback_rate: Percent | null;
  compliance: Percent | null;
  average_duration_seconds: number | null;
  total_deployments: Count;
  active_deployments: Count;
  total_targets: Count;
  /** Versions in the fleet, or on the deployment's devices, by device type. */
  versions: { device_type: string | null; version: string | null; count: Count }[];
  /**
   * Finished targets over time, oldest first, without empty buckets. For a whole organization: the last 90 days.
   */
  ended_over_time: { at: Timestamp; completed: Count; failed: Count; rolled_back: Count }[];
  /** When `versions` and `compliance` were counted; the other figures are current. */
  as_of: CountedAt;
}

/**
 * Server-sent events of `GET /stream` and `GET /deployments/:id/stream`. The SSE `event` field is `type`, and `data` is
 * the JSON of the other fields. `reset` means that events may have been missed: the client should fetch the deployment
 * again, or everything it shows (`null`). A `heartbeat` is sent every 15 seconds; after twice that time without any
 * event, a client should assume that the connection is broken.
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
