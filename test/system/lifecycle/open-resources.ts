/** Resources that a plugin could leave open in its process, in PostgreSQL and in Redis. */
import { Redis } from 'ioredis';
import pg from 'pg';

import { testPostgres, testRedisUrl } from '../../support/test-services.ts';
import type { TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';

export interface OpenResources {
  /** Handles, timers and requests that keep the process alive, by type. */
  handles: Record<string, number>;
  /** Sessions in the test database. */
  sessions: number;
  redisClients: number;
}

/** Call it after the host's own connection pool is closed. */
async function countOpenResources(database: TestDatabase): Promise<OpenResources> {
  const sessions = await countSessions(database);
  const redisClients = await countRedisClients();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    handles[kind] = (handles[kind] ?? 0) + 1;
  }
  return { handles, sessions, redisClients };
}

/** Closes the host's pool, which keeps idle connections, and waits until the counts are stable. */
export async function stableOpenResources(database: TestDatabase): Promise<OpenResources> {
  await database.knex.destroy();
  let last = '';
  let same = 0;
  const stable = await waitFor(
    async () => {
      const now = await countOpenResources(database);
      const text = JSON.stringify(now);
      same = text === last ? same + 1 : 0;
      last = text;
      return same >= 3 ? now : null;
    },
    { describe: () => `the open resources are stable; now ${last}` },
  );
  database.knex.initialize();
  return stable;
}

/** Waits until no more is open than before. */
export async function untilNothingLeftOpen(
  before: OpenResources,
  database: TestDatabase,
): Promise<void> {
  await database.knex.destroy();
  let now = before;
  await waitFor(
    async () => {
      now = await countOpenResources(database);
      const kinds = Object.entries(now.handles);
      return (
        now.sessions === 0 &&
        now.redisClients <= before.redisClients &&
        kinds.every(([kind, count]) => count <= (before.handles[kind] ?? 0))
      );
    },
    { describe: () => `back to ${JSON.stringify(before)}; now ${JSON.stringify(now)}` },
  );
  database.knex.initialize();
}

async function countSessions(database: TestDatabase): Promise<number> {
  const name = new URL(database.connectionString).pathname.slice(1);
  const client = new pg.Client({ connectionString: (await testPostgres()).connectionString() });
  await client.connect();
  const { rowCount } = await client.query('SELECT 1 FROM pg_stat_activity WHERE datname = $1', [
    name,
  ]);
  await client.end();
  return rowCount ?? 0;
}

async function countRedisClients(): Promise<number> {
  const url = await testRedisUrl();
  if (url === null) return 0;
  const connection = new Redis(url);
  const clients = (await connection.client('LIST')) as string;
  await connection.quit();
  return clients.trim().split('\n').length;
}
