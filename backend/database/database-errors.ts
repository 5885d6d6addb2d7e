import { DomainError } from '../kernel/errors.ts';

/** SQLSTATE classes and codes, see the PostgreSQL manual, appendix A. */
const DEADLOCK_DETECTED = '40P01';
const SERIALIZATION_FAILURE = '40001';
// 25P03: the session was ended because its transaction was silent for too long.
const UNAVAILABLE = [/^08/, /^57P0/, /^53/, /^25P03/];

/** What node-postgres, Knex's pool and Node itself say when the server cannot be reached. */
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

export function isTransactionConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === DEADLOCK_DETECTED || code === SERIALIZATION_FAILURE;
}

/** Whether the database is away or shutting down, as opposed to a fault in a statement. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  const code = codeOf(error);
  if (code !== undefined) {
    if (NETWORK_CODES.has(code)) return true;
    if (UNAVAILABLE.some((pattern) => pattern.test(code))) return true;
  }
  return CONNECTION_MESSAGES.test(error.message);
}

export function databaseUnavailable(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    'The database does not answer. Nothing was changed; try again shortly.',
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
