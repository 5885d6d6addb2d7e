/**
 * Request and response types of the device API, `/api/v1/ota` (docs/contract.md, Device API). Older agents only use the
 * fields marked ●; for them, all other fields are optional.
 */
import type { Count, Ordinal, Percent, Uuid } from './scalars.ts';
import type { DeviceActivity, FailureCause, Protection, ReportedStatus } from './states.ts';

/** The installation log of one attempt, all chunks together. */
export const MAX_INSTALL_LOG_BYTES = 256 * 1024;
/** Agents keep `poll_after_seconds` within these limits. */
export const MIN_POLL_SECONDS = 10;
export const MAX_POLL_SECONDS = 24 * 60 * 60;
export const DEFAULT_POLL_SECONDS = 5 * 60;

/** Installed versions by package name. */
export type Components = Record<string, string>;

/** Query of a poll: `GET /check-update`. */
export interface CheckUpdateQuery {
  /** ● */
  device_id: string;
  /** ● The version of the device's main product. */
  current_version?: string;
  protection?: Protection;
  /** {@link Components} as JSON. */
  components?: string;
}

/** `GET /check-update?device_id=&current_version=&protection=&components=` */
export type CheckUpdateResponse = NoUpdate | UpdateOffer;

export interface NoUpdate {
  /** ● */
  update_available: false;
  /** A rollback that an admin requested; it comes before any update. */
  rollback?: RollbackOrder;
  poll_after_seconds: Count;
}

export interface RollbackOrder {
  deployment_id: Uuid;
  /** The version to roll back to. */
  version: string;
  attempt: Ordinal;
}

export interface UpdateOffer {
  /** ● */
  update_available: true;
  /** ● */
  deployment_id: Uuid;
  /** ● */
  target_version: string;
  /** ● */
  update_package_url: string;
  /**
   * ● As the admin wrote it: `sha256:<64 hex>` or `<64 hex>`. Agents of the earlier generation always get 64 lower-case
   * hex digits.
   */
  checksum: string;
  /** ● */
  release_notes: string;
  /** Starts at 1; agents send it back in every report. */
  attempt: Ordinal;
  /** The exact text of the signed manifest, if the deployment has one. */
  manifest?: string;
  signature?: string;
  poll_after_seconds: Count;
}

/** `POST /deployments/:id/status?device_id=` */
export interface StatusReport {
  /** ● */
  status: ReportedStatus;
  /** ● The reason for `failed` or `rolled_back`. Text after 4,000 characters is dropped. */
  error_message?: string | null;
  attempt?: Ordinal;
  /** Percent of the current step, 0–100. */
  progress?: Percent;
  /** The version that the device runs now; with `rolled_back`, the version it rolled back to. */
  installed_version?: string;
  /** What the device does besides its status; a report without one ends it. */
  activity?: DeviceActivity;
  /** With `failed` and `rolled_back`. */
  failure_cause?: FailureCause;
  /**
   * The name of the package, if it is not the device's main product. Then the update does not change the version of the
   * device, and `installed_version` is that of the package.
   */
  component?: string;
}

export interface StatusResponse {
  /** ● */
  status: 'success';
  /** ● */
  message: string;
  /** `abort`: the agent stops if `install.sh` has not started, and reports `skipped`. */
  directive: 'continue' | 'abort';
}

/** `POST /deployments/:id/logs?device_id=` → 202 */
export interface LogUpload {
  attempt: Ordinal;
  chunk: string;
  /**
   * UTF-8 bytes of this attempt's log before this chunk. A chunk whose offset is already stored is acknowledged and
   * dropped, so an upload can be repeated.
   */
  offset?: Count;
}

/** Response to `POST /deployments/:id/logs`. */
export interface LogAccepted {
  status: 'accepted';
}
