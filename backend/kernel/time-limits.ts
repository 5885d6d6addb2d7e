/**
 * Time limits of database work, by who waits for it. PostgreSQL cancels statements that exceed them. If PostgreSQL
 * itself does not respond, the connection is closed shortly afterwards.
 */
import type { TransactionLimits } from './unit-of-work.ts';

/** Milliseconds. */
export const LIMITS = {
  /** Devices retry, so failing fast is better than responding late. */
  reports: { lockMs: 2_000, statementMs: 5_000 },
  /** A person waits; an action may write many targets. */
  admin: { lockMs: 5_000, statementMs: 30_000 },
  /** A job that finds a deployment locked fails fast and is retried. */
  jobs: { lockMs: 1_000, statementMs: 60_000 },
  /** Health checks have timeouts of their own. */
  health: { lockMs: 1_000, statementMs: 2_000 },
  /** Runs in the background. */
  census: { lockMs: 1_000, statementMs: 120_000 },
  /** Inserts up to a million targets in one statement. */
  creation: { lockMs: 5_000, statementMs: 600_000 },
} as const satisfies Record<string, TransactionLimits>;

/** A statement outside of a transaction. */
export const QUERY_MS = 15_000;
/** A statement that does little work, and the query of polls, which other polls wait for. */
export const SHORT_QUERY_MS = 5_000;
/** Added to PostgreSQL's own limit before the connection is closed. */
export const GRACE_MS = 2_000;
