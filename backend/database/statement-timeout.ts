import type { Client } from 'pg';
import { DatabaseTimeoutError, breaksSession } from './database-errors.ts';

/** What Knex's pools look at before they hand a connection out again: with this mark they close it. */
type PooledConnection = Client & { __knex__disposed?: unknown };

/**
 * Runs a statement that is given up after `limitMs`, with its connection: one half-open connection would
 * otherwise be waited for until the operating system notices. A session that an error leaves unfit for
 * others (read-only after a failover, without its prepared statements) is closed instead of used again.
 */
export async function withStatementTimeout<T>(
  connection: Client,
  limitMs: number,
  statement: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DatabaseTimeoutError(limitMs);
      evictFromPool(connection, error);
      destroySocket(connection);
      reject(error);
    }, limitMs);
  });
  const answer = statement();
  try {
    return await Promise.race([answer, limit]);
  } catch (error) {
    answer.catch(() => undefined);
    if (breaksSession(error)) evictFromPool(connection, error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** At once, and without a word to the other side; frees whatever waits in line, too. */
export function destroySocket(connection: Client): void {
  (
    connection as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
}

/** The pool closes it instead of handing it out again. */
export function evictFromPool(connection: PooledConnection, reason: unknown): void {
  connection.__knex__disposed = reason;
}
