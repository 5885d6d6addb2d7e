import { setTimeout as delay } from 'node:timers/promises';
import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Client } from 'pg';
import { LIMITS } from '../kernel/time-limits.ts';
import type { Transaction, TransactionLimits, UnitOfWork } from '../kernel/unit-of-work.ts';
import { isDatabaseUnavailable, isTransactionConflict, outcomeUnknown } from './database-errors.ts';
import { setStatementTimeout } from './plugin-knex.ts';
import { Database } from './database.ts';

const MAX_TRIES = 5;
/**
 * If a process stops in the middle of a transaction (paused machine, cut network), its locks block others. After this
 * time PostgreSQL ends its session (docs/decisions/silent-transactions.md).
 */
const MAX_IDLE_MS = 10_000;
/** Timeout of the connection if the transaction has no limit of its own. */
const NO_LIMIT_MS = 600_000;
/** How often the result of a commit is queried after the connection broke during it. */
const STATUS_TRIES = 6;
const STATUS_RETRY_MS = 500;

/** Sets the limits of this transaction and reads the time, in one round trip. 0 means no limit. */
const BEGIN = `
  SELECT set_config('idle_in_transaction_session_timeout', '${MAX_IDLE_MS}', true),
         set_config('lock_timeout', ?, true),
         set_config('statement_timeout', ?, true),
         CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id()::text END AS id,
         extract(epoch FROM clock_timestamp())::double precision * 1000 AS now`;

@injectable()
export class KnexUnitOfWork implements UnitOfWork {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async run<T>(
    work: (tx: Transaction) => Promise<T>,
    limits: TransactionLimits = LIMITS.admin,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#runOnce(work, limits);
      } catch (error) {
        if (!isTransactionConflict(error) || attempt === MAX_TRIES) throw error;
      }
    }
  }

  async #runOnce<T>(work: (tx: Transaction) => Promise<T>, limits: TransactionLimits): Promise<T> {
    let done: { result: T; id: string | null } | undefined;
    try {
      return await this.knex.transaction(async (trx) => {
        setStatementTimeout(await connectionOf(trx), limits.statementMs ?? NO_LIMIT_MS);
        const { tx, id } = await begin(trx, limits);
        const result = await work(tx);
        done = { result, id };
        return result;
      });
    } catch (error) {
      // The commit itself failed, so only the database knows whether it took effect.
      if (done === undefined || !isDatabaseUnavailable(error)) throw error;
      if (await this.#wasCommitted(done.id, error)) return done.result;
      throw error;
    }
  }

  /** Whether the transaction was committed. Throws {@link outcomeUnknown} if that cannot be found out. */
  async #wasCommitted(id: string | null, cause: unknown): Promise<boolean> {
    for (let tries = 0; id !== null && tries < STATUS_TRIES; tries += 1) {
      try {
        const { rows } = await this.knex.raw<{ rows: [{ status: string | null }] }>(
          'SELECT pg_xact_status(CAST(? AS xid8)) AS status',
          [id],
        );
        if (rows[0].status === 'committed') return true;
        if (rows[0].status === 'aborted') return false;
        if (rows[0].status === null) break;
      } catch {
        // The database is still unavailable, or another server took over that does not have the transaction.
      }
      await delay(STATUS_RETRY_MS);
    }
    throw outcomeUnknown(cause);
  }
}

class KnexTransaction implements Transaction {
  readonly knex: Knex.Transaction;
  readonly now: Date;

  constructor(knex: Knex.Transaction, now: Date) {
    this.knex = knex;
    this.now = now;
  }
}

async function begin(
  trx: Knex.Transaction,
  limits: TransactionLimits,
): Promise<{ tx: Transaction; id: string | null }> {
  const { rows } = await trx.raw<{ rows: [{ now: number; id: string | null }] }>(BEGIN, [
    String(limits.lockMs ?? 0),
    String(limits.statementMs ?? 0),
  ]);
  return { tx: new KnexTransaction(trx, new Date(rows[0].now)), id: rows[0].id };
}

/** The connection of the transaction; acquiring it again returns the same one. */
async function connectionOf(trx: Knex.Transaction): Promise<Client> {
  return (trx.client as { acquireConnection(): Promise<Client> }).acquireConnection();
}

/** The Knex transaction of a `Transaction`. */
export function asKnex(tx: Transaction): Knex.Transaction {
  return (tx as KnexTransaction).knex;
}
