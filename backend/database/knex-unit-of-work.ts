import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Transaction, UnitOfWork } from '../kernel/unit-of-work.ts';
import { TOKENS } from '../tokens.ts';
import { isTransactionConflict } from './database-errors.ts';

const MAX_TRIES = 5;
/**
 * A process that stands still in the middle of a transaction (a paused machine, a cut network) holds
 * its locks; after this time of silence PostgreSQL ends its session, and the others go on.
 */
const MAX_SILENCE_MS = 10_000;

@injectable()
export class KnexUnitOfWork implements UnitOfWork {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async run<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#knex.transaction(async (trx) => {
          await trx.raw(`SET LOCAL idle_in_transaction_session_timeout = ${MAX_SILENCE_MS}`);
          return work(trx as unknown as Transaction);
        });
      } catch (error) {
        if (!isTransactionConflict(error) || attempt === MAX_TRIES) throw error;
      }
    }
  }
}

/** The Knex transaction behind the token that services pass around. */
export function asKnex(tx: Transaction): Knex.Transaction {
  return tx as unknown as Knex.Transaction;
}
