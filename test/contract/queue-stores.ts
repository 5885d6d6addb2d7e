/** The stores a queue can live in, with the means to empty them and to take them away. */
import knexFactory from 'knex';
import pg from 'pg';
import { pino } from 'pino';

import { redisConnections } from '../../dev/host/redis-connections.ts';
import { locateQueue, type QueueLocation } from '../../jobs/queue-backend.ts';
import { startRedisServer } from '../../dev/redis/redis-server.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { testPostgres } from '../support/test-services.ts';

export interface QueueStore {
  /** Where a queue with this prefix lives. */
  locate(prefix: string): Promise<QueueLocation>;
  /** Everything in the store is forgotten, as after a restart without a copy on disk. */
  empty(prefix: string): Promise<void>;
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** What stands in the store outside of the queue's own room. */
  strayEntries(prefix: string): Promise<string[]>;
  /** What stands in it. */
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
  // Redis is not asked for anything relational; the database is the host's.
  const unused = knexFactory({ client: 'pg' });
  return {
    locate: (prefix) => locateQueue(connections, unused, prefix),
    async empty() {
      await inspector.flushall();
    },
    async goAway() {
      await server?.stop();
      server = null;
    },
    async comeBack() {
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
  const server = (await testPostgres()).connectionString();

  async function administer(...statements: string[]): Promise<void> {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

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
      // One by one: all at once would wait for the worker while the worker waits for it.
      for (const table of full) await knex.raw(`DELETE FROM ${table}`);
    },
    async goAway() {
      await administer(
        `ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS false`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
      );
    },
    async comeBack() {
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
