/**
 * A database transaction as services see it: something to hand to repositories, nothing to call.
 * Repositories know what it really is (`database/knex-unit-of-work.ts`).
 */
export interface Transaction {
  readonly __transaction: unique symbol;
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. Run
   * again from the start after a deadlock or serialization failure, so `work` must have no effects
   * outside of the database.
   */
  run<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}
