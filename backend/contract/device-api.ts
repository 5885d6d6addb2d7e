/**
 * Wire types of the device API, `/api/v1/ota`. Fields marked ● are all that agents of the earlier
 * generation know; everything else is optional for them.
 */
import type { Count, Ordinal, Percent, Uuid } from './scalars.ts';
import type { ReportedStatus } from './states.ts';

/** Installation log, all chunks of one attempt together. */
export const MAX_INSTALL_LOG_BYTES = 256 * 1024;
/** Limits an agent applies to `poll_after_seconds`. */
export const MIN_POLL_SECONDS = 10;
export const MAX_POLL_SECONDS = 24 * 60 * 60;
export const DEFAULT_POLL_SECONDS = 5 * 60;

/** `GET /check-update?device_id=&current_version=` */
export type CheckUpdateResponse = NoUpdate | UpdateOffer;

export interface NoUpdate {
  /** ● */
  update_available: false;
  /** A rollback an admin asked for; to be carried out before any update. */
  rollback?: RollbackOrder;
  poll_after_seconds: Count;
}

export interface RollbackOrder {
  deployment_id: Uuid;
  /** The version to go back to. */
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
  /** ● As the admin wrote it: `sha256:<64 hex>` or `<64 hex>`. */
  checksum: string;
  /** ● */
  release_notes: string;
  /** Counts from 1; to be sent back in every report. */
  attempt: Ordinal;
  /** Signed manifest, exact text, when the deployment carries one. */
  manifest?: string;
  signature?: string;
  poll_after_seconds: Count;
}

/** `POST /deployments/:id/status?device_id=` */
export interface StatusReport {
  /** ● */
  status: ReportedStatus;
  /** ● Why, for `failed` and `rolled_back`. At most 4,000 characters are kept. */
  error_message?: string | null;
  attempt?: Ordinal;
  /** Percent of the current step, 0–100. */
  progress?: Percent;
  /** What runs on the device now; with `rolled_back` the version it went back to. */
  installed_version?: string;
}

export interface StatusResponse {
  /** ● */
  status: 'success';
  /** ● */
  message: string;
  /** `abort`: stop now if nothing was installed yet, and report `skipped`. */
  directive: 'continue' | 'abort';
}

/** `POST /deployments/:id/logs?device_id=` → 202 */
export interface LogUpload {
  attempt: Ordinal;
  chunk: string;
  /**
   * Bytes (UTF-8) of this attempt's log that were sent before this chunk. A chunk whose offset is
   * already stored is acknowledged and dropped, so uploads may be repeated.
   */
  offset?: Count;
}

/** Answer of `POST /deployments/:id/logs`. */
export interface LogAccepted {
  status: 'accepted';
}
