/** The stores that can hold a queue. Tests can empty them and take them offline. */
import knexFactory from 'knex';
import { pino } from 'pino';

import { redisConnections } from '../../backend/server/host/redis-connections.ts';
import { locateQueue, type QueueLocation } from '../../jobs/queue-backend.ts';
import { startRedisServer } from '../../dev/redis/redis-server.ts';
import { administer, createTestDatabase } from '../support/test-database.ts';

export interface QueueStore {
  /** Where a queue with this prefix lives. */
  locate(prefix: string): Promise<QueueLocation>;
  /** Deletes everything in the store, as a restart without persistence does. */
  empty(prefix: string): Promise<void>;
  goOffline(): Promise<void>;
  goOnline(): Promise<void>;
  /** Keys or tables outside the queue's own namespace. */
  strayEntries(prefix: string): Promise<string[]>;
  /** Keys or tables inside it. */
  ownEntries(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

const logger = pino({ level: 'silent' });

/** `null` where no redis-server is installed. */
export async function redisStore(): Promise<QueueStore | null> {
  let server = await startRedisServer();
  if (server === null) return null;
  const { url, port } = server;
  const connections = redisConnections(url, logger);
  const inspector = connections.connect('worker');
  const keys = async (own: boolean, prefix: string) =>
    (await inspector.keys('*')).filter((key) => key.startsWith(`{${prefix}}:`) === own);
  // `locateQueue` only reads the database settings when there is no Redis.
  const unused = knexFactory({ client: 'pg' });
  return {
    locate: (prefix) => locateQueue(connections, unused, prefix),
    async empty() {
      await inspector.flushall();
    },
    async goOffline() {
      await server?.stop();
      server = null;
    },
    async goOnline() {
      server = await startRedisServer(port);
    },
    strayEntries: (prefix) => keys(false, prefix),
    ownEntries: (prefix) => keys(true, prefix),
    async close() {
      inspector.disconnect();
      await unused.destroy();
      await server?.stop();
    },
  };
}

export async function postgresStore(): Promise<QueueStore> {
  const database = await createTestDatabase({ schema: 'host' });
  const { knex } = database;
  const name = new URL(database.connectionString).pathname.slice(1);
  async function tables(condition: string, prefix: string): Promise<string[]> {
    const { rows } = await knex.raw<{ rows: { name: string }[] }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND ${condition}`,
      [prefix],
    );
    return rows.map((row) => row.name);
  }

  const tablesOfHost = await tables('schemaname <> ?', 'none');
  return {
    locate: (prefix) => locateQueue(undefined, knex, prefix),
    async empty(prefix) {
      const full = await tables(`schemaname = ? AND tablename NOT LIKE '%migration%'`, prefix);
      // One table at a time. Locking all of them at once can deadlock with the worker.
      for (const table of full) await knex.raw(`DELETE FROM ${table}`);
    },
    async goOffline() {
      await administer(
        `ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS false`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
      );
    },
    async goOnline() {
      await administer(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true`);
    },
    async strayEntries(prefix) {
      const elsewhere = await tables('schemaname <> ?', prefix);
      return elsewhere.filter((table) => !tablesOfHost.includes(table));
    },
    ownEntries: (prefix) => tables('schemaname = ?', prefix),
    close: () => database.drop(),
  };
}
