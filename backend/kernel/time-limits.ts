/**
 * How long what the plugin does may wait and take, by who waits for it. PostgreSQL ends what takes longer;
 * where not even PostgreSQL answers, the connection is given up a moment later.
 */
import type { TransactionLimits } from './unit-of-work.ts';

/** Milliseconds. */
export const LIMITS = {
  /** Devices ask again: rather soon refused than late answered. */
  reports: { lockMs: 2_000, statementMs: 5_000 },
  /** A person waits, and tries again; many targets may have to be written. */
  admin: { lockMs: 5_000, statementMs: 30_000 },
  /** A job that meets a locked deployment gives its place back, and comes again. */
  jobs: { lockMs: 1_000, statementMs: 60_000 },
  /** Whoever asks how the plugin is has a limit of his own. */
  health: { lockMs: 1_000, statementMs: 2_000 },
  /** Nobody waits for it. */
  census: { lockMs: 1_000, statementMs: 120_000 },
  /** A million targets in one statement. */
  creation: { lockMs: 5_000, statementMs: 600_000 },
} as const satisfies Record<string, TransactionLimits>;

/** A statement outside of a transaction: polls, lists, figures. */
export const QUERY_MS = 15_000;
/** A statement that takes no time by itself, and those of polls, of which others are waiting for room. */
export const SHORT_QUERY_MS = 5_000;
/** How much longer than PostgreSQL's own limit an answer is waited for. */
export const GRACE_MS = 2_000;
