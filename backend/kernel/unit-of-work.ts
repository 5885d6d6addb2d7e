import { token } from './token.ts';

/**
 * A database transaction as services see it: something to pass to repositories, which know what it
 * really is (`database/knex-unit-of-work.ts`).
 */
export interface Transaction {
  /**
   * The database's clock when the transaction began. What is stored or compared takes this time: every
   * process reads the same clock, however wrong its own one is.
   */
  readonly now: Date;
}

/** How long a transaction may wait or work before PostgreSQL ends it (`kernel/time-limits.ts`); left out: no limit. */
export interface TransactionLimits {
  /** Milliseconds that one statement may wait for a lock. */
  readonly lockMs?: number;
  /** Milliseconds that one statement may take, waiting included. */
  readonly statementMs?: number;
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. Run
   * again from the start after a deadlock or serialization failure, so `work` must have no effects
   * outside of the database.
   */
  run<T>(work: (tx: Transaction) => Promise<T>, limits?: TransactionLimits): Promise<T>;
}
export const UnitOfWork = token<UnitOfWork>('UnitOfWork');
