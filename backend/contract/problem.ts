/**
 * Every error code with its HTTP status and title (docs/contract.md, Errors). Codes are stable, so clients may depend on
 * them. `title` and `detail` are for people and may change.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'Authentication is required' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  invalid_state: { status: 409, title: 'Not possible in the current state' },
  stale_status: { status: 409, title: 'A later report is already recorded' },
  stale_attempt: { status: 409, title: 'The report belongs to an earlier attempt' },
  newer_version_installed: { status: 409, title: 'The device has completed a newer deployment' },
  payload_too_large: { status: 413, title: 'The request body is too large' },
  log_limit_reached: { status: 413, title: 'The installation log of this attempt is full' },
  unsupported_media_type: { status: 415, title: 'The request body must be JSON' },
  no_matching_devices: { status: 422, title: 'No device matches the filters' },
  too_many_batches: { status: 422, title: 'The plan has too many batches' },
  percentage_too_low: { status: 422, title: 'The percentage adds no devices' },
  idempotency_key_reused: { status: 422, title: 'The key was used for another request' },
  signature_refused: { status: 422, title: 'The package signature is not valid' },
  previous_version_unknown: { status: 422, title: 'The previous version is unknown' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Internal error' },
  authentication_unavailable: { status: 503, title: 'Sessions and tokens cannot be checked' },
  database_unavailable: { status: 503, title: 'The database is unavailable' },
  queue_unavailable: { status: 503, title: 'The job queue is unavailable' },
  not_ready: { status: 503, title: 'The plugin is starting or stopping' },
  overloaded: { status: 503, title: 'The server is overloaded' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** An error in the input. `path` is dotted, e.g. `device_filters.version_operator`. */
export interface FieldError {
  path: string;
  message: string;
}

/** The `application/problem+json` body of every error response (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  /** Every error in the input; only with code `invalid_request`. */
  errors?: FieldError[];
  /** Only with a 5xx status: the id of the request in the server's log. */
  request_id?: string;
  /** With code `invalid_state`: the current state and the actions that it allows. */
  current_status?: string;
  allowed_actions?: string[];
}
