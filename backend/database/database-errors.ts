import { DomainError } from '../kernel/errors.ts';

/** SQLSTATE codes; see the PostgreSQL manual, appendix A. */
const DEADLOCK_DETECTED = '40P01';
const SERIALIZATION_FAILURE = '40001';
/**
 * Conditions under which a later retry of the same statement may succeed: connection or server unavailable (08, 57P0),
 * out of disk space or connections (53), read-only database (25006), statement, lock or idle timeout (57014, 55P03,
 * 25P0x), repeated conflicts (40), or lost prepared statements behind a pooler or after a migration (26000, 42P05,
 * 0A000).
 */
const TEMPORARY = [
  /^08/,
  /^57P0/,
  /^53/,
  /^25006/,
  /^57014/,
  /^55P03/,
  /^25P0/,
  /^40/,
  /^26000/,
  /^42P05/,
];
const CACHED_PLAN = '0A000';
/** After these errors a session cannot be used again. */
const SESSION_LOST = [/^08/, /^57P0/, /^25006/, /^25P0/, /^26000/, /^42P05/];
/** The data of the statement is at fault: length, encoding, constraint, complexity. */
const DATA_REJECTED = [/^22/, /^23/, /^54/];

/** Messages of node-postgres, Knex's pool and PostgreSQL for errors without a code. */
const CONNECTION_MESSAGES =
  /Connection terminated|Connection ended|connection timeout|timeout exceeded when trying to connect|acquiring a connection|Client has encountered a connection error|not queryable|pool is (?:draining|destroyed)|the database system is/i;
const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

const RETRY_AFTER_SECONDS = 5;

/** The database did not respond in time: the network, the server or a pooler is stuck. */
export class DatabaseTimeoutError extends Error {
  constructor(limitMs: number) {
    super(`the database did not respond within ${limitMs} ms`);
    this.name = 'DatabaseTimeoutError';
  }
}

export function isTransactionConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === DEADLOCK_DETECTED || code === SERIALIZATION_FAILURE;
}

/** Whether a later retry may succeed, in contrast to an error in a statement or its data. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  if (error instanceof DatabaseTimeoutError) return true;
  const code = codeOf(error);
  if (code !== undefined) {
    if (NETWORK_CODES.has(code)) return true;
    if (TEMPORARY.some((pattern) => pattern.test(code)) || isCachedPlan(error)) return true;
  }
  return CONNECTION_MESSAGES.test(error.message);
}

/** Whether the session must be closed after this error instead of being used again. */
export function breaksSession(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return false;
  return SESSION_LOST.some((pattern) => pattern.test(code)) || isCachedPlan(error);
}

/** Whether PostgreSQL rejected the data and would reject it again. */
export function isDataRejected(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && DATA_REJECTED.some((pattern) => pattern.test(code));
}

/** Whether the table of a prepared statement changed. The code alone also means "feature not supported". */
function isCachedPlan(error: unknown): boolean {
  const routine = (error as { routine?: unknown }).routine;
  return codeOf(error) === CACHED_PLAN && routine === 'RevalidateCachedQuery';
}

/** 503 with the reason; the request changed nothing. */
export function databaseUnavailable(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    `${describeOutage(cause)} Nothing was changed; retry after Retry-After.`,
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/**
 * 503: the connection broke during a commit, so it is unknown whether the transaction was committed. The caller must not
 * simply repeat the request.
 */
export function outcomeUnknown(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    'The connection to the database broke during the commit. Check whether the change was made before you ' +
      'try again.',
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/** Why the database is unavailable, as a sentence without addresses or names. */
export function describeOutage(cause: unknown): string {
  const code = codeOf(cause) ?? '';
  if (code === '25006') return 'The database is read-only.';
  if (code.startsWith('53')) return 'The database is out of space or connections.';
  if (code === '55P03' || code.startsWith('40'))
    return 'Another request is changing the same deployment.';
  if (code === '57014') return 'The database took too long.';
  return 'The database does not respond.';
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
