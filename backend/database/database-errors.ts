import { DomainError } from '../kernel/errors.ts';

/** SQLSTATE classes and codes, see the PostgreSQL manual, appendix A. */
const DEADLOCK_DETECTED = '40P01';
const SERIALIZATION_FAILURE = '40001';
/**
 * What may pass without anybody changing a statement: the connection or the server is away (08, 57P0),
 * room or connections are used up (53), the database is read-only (25006), a limit of time or silence was
 * reached (57014, 55P03, 25P0x), others were in the way again and again (40), or the session lost what it
 * had prepared, as behind a pooler or after a migration (26000, 42P05, 0A000).
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
/** After these a session is of no more use to anybody. */
const SESSION_LOST = [/^08/, /^57P0/, /^25006/, /^25P0/, /^26000/, /^42P05/];
/** The statement's own data: length, encoding, constraint, complexity. */
const DATA_REJECTED = [/^22/, /^23/, /^54/];

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

/** No answer came in time: the network, the server or a pooler in between does not move. */
export class DatabaseTimeoutError extends Error {
  constructor(limitMs: number) {
    super(`the database gave no answer within ${limitMs} ms`);
    this.name = 'NoAnswerError';
  }
}

export function isTransactionConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === DEADLOCK_DETECTED || code === SERIALIZATION_FAILURE;
}

/** Whether trying again later may help, as opposed to a fault in a statement or its data. */
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

/** Whether the session that the error came from is to be closed instead of used again. */
export function breaksSession(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return false;
  return SESSION_LOST.some((pattern) => pattern.test(code)) || isCachedPlan(error);
}

/** Whether PostgreSQL refused the data, and would refuse them again. */
export function isDataRejected(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && DATA_REJECTED.some((pattern) => pattern.test(code));
}

/** Named statements whose table has changed; the same code stands for features that do not exist. */
function isCachedPlan(error: unknown): boolean {
  const routine = (error as { routine?: unknown }).routine;
  return codeOf(error) === CACHED_PLAN && routine === 'RevalidateCachedQuery';
}

/** 503: says what stands in the way, and that nothing came of the request. */
export function databaseUnavailable(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    `${describeOutage(cause)} Nothing was changed; try again shortly.`,
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/**
 * 503: the connection broke while a transaction was being committed, so that nobody knows whether it
 * was, and it must not be carried out again blindly.
 */
export function outcomeUnknown(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    'The connection to the database broke while the change was being stored. It is not known whether it ' +
      'was: look before you try again.',
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/** What stands in the way, in a sentence that names no address. */
export function describeOutage(cause: unknown): string {
  const code = codeOf(cause) ?? '';
  if (code === '25006') return 'The database is read-only at the moment.';
  if (code.startsWith('53')) return 'The database has no room or no connection left.';
  if (code === '55P03' || code.startsWith('40'))
    return 'Others are working on the same deployment.';
  if (code === '57014') return 'The database did not get this done in time.';
  return 'The database does not answer.';
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
