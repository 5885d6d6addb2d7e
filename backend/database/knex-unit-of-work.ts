import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Transaction, TransactionLimits, UnitOfWork } from '../kernel/unit-of-work.ts';
import { TOKENS } from '../tokens.ts';
import { isTransactionConflict } from './database-errors.ts';

const MAX_TRIES = 5;
/**
 * A process that stands still in the middle of a transaction (a paused machine, a cut network) holds
 * its locks; after this time of silence PostgreSQL ends its session, and the others go on.
 */
const MAX_SILENCE_MS = 10_000;

/** Limits for this transaction only, and the time, in one round trip; 0 is PostgreSQL's "no limit". */
const BEGIN = `
  SELECT set_config('idle_in_transaction_session_timeout', '${MAX_SILENCE_MS}', true),
         set_config('lock_timeout', ?, true),
         set_config('statement_timeout', ?, true),
         extract(epoch FROM clock_timestamp())::double precision * 1000 AS now`;

@injectable()
export class KnexUnitOfWork implements UnitOfWork {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async run<T>(work: (tx: Transaction) => Promise<T>, limits: TransactionLimits = {}): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#knex.transaction(async (trx) => work(await begin(trx, limits)));
      } catch (error) {
        if (!isTransactionConflict(error) || attempt === MAX_TRIES) throw error;
      }
    }
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

async function begin(trx: Knex.Transaction, limits: TransactionLimits): Promise<Transaction> {
  const { rows } = await trx.raw<{ rows: [{ now: number }] }>(BEGIN, [
    String(limits.lockMs ?? 0),
    String(limits.statementMs ?? 0),
  ]);
  return new KnexTransaction(trx, new Date(rows[0].now));
}

/** The Knex transaction behind what services pass around. */
export function asKnex(tx: Transaction): Knex.Transaction {
  return (tx as KnexTransaction).knex;
}
