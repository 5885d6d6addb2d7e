import { token } from './token.ts';

/**
 * A database transaction. Services only pass it on to repositories, which get the Knex transaction from it
 * (`database/knex-unit-of-work.ts`).
 */
export interface Transaction {
  /**
   * The database's clock at the start of the transaction. Use it for every time that is stored or compared, because the
   * clocks of servers may be wrong (docs/contract.md, Words).
   */
  readonly now: Date;
}

/** Limits after which PostgreSQL ends a transaction (`kernel/time-limits.ts`); absent: no limit. */
export interface TransactionLimits {
  /** Milliseconds that one statement may wait for a lock. */
  readonly lockMs?: number;
  /** Milliseconds that one statement may take, including waits for locks. */
  readonly statementMs?: number;
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction, which is committed when `work` resolves and rolled back when it rejects. After a
   * deadlock or a serialization failure it runs again from the start, so `work` must have no effects outside of the
   * database.
   */
  run<T>(work: (tx: Transaction) => Promise<T>, limits?: TransactionLimits): Promise<T>;
}
export const UnitOfWork = token<UnitOfWork>('UnitOfWork');
