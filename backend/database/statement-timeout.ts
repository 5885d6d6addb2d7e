import type { Client } from 'pg';
import { DatabaseTimeoutError, breaksSession } from './database-errors.ts';

/** Knex's pool closes a connection with this mark instead of using it again. */
type PooledConnection = Client & { __knex__disposed?: unknown };

/**
 * Runs a statement and closes its connection if the database does not respond within `limitMs`; without this, a
 * half-open connection would block until the operating system notices. A session that cannot be used after an error
 * (read-only after a failover, prepared statements lost) is removed from the pool.
 *
 * @throws {DatabaseTimeoutError} after `limitMs`
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
  const result = statement();
  try {
    return await Promise.race([result, limit]);
  } catch (error) {
    result.catch(() => undefined);
    if (breaksSession(error)) evictFromPool(connection, error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Closes the socket at once, without a message to the server; all queued statements fail. */
export function destroySocket(connection: Client): void {
  (
    connection as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
}

/** Makes the pool close the connection instead of using it again. */
export function evictFromPool(connection: PooledConnection, reason: unknown): void {
  connection.__knex__disposed = reason;
}
