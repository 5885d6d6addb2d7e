/** What a plugin could leave behind in its process, in PostgreSQL and in Redis. */
import { Redis } from 'ioredis';
import pg from 'pg';

import { testPostgres, testRedisUrl } from '../../support/test-services.ts';
import type { TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';

export interface Traces {
  /** Handles, timers and requests that keep the process awake, by kind. */
  resources: Record<string, number>;
  /** Sessions in the database of the test. */
  sessions: number;
  redisClients: number;
}

/** Everything that is open once the host's own connections are closed. */
async function look(database: TestDatabase): Promise<Traces> {
  const sessions = await countSessions(database);
  const redisClients = await countRedisClients();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    resources[kind] = (resources[kind] ?? 0) + 1;
  }
  return { resources, sessions, redisClients };
}

/** Closes the host's pool, which keeps idle connections, and looks once things have come to rest. */
export async function tracesAtRest(database: TestDatabase): Promise<Traces> {
  await database.knex.destroy();
  let last = '';
  let same = 0;
  const traces = await waitFor(
    async () => {
      const now = await look(database);
      const text = JSON.stringify(now);
      same = text === last ? same + 1 : 0;
      last = text;
      return same >= 3 ? now : null;
    },
    { describe: () => `things come to rest; now ${last}` },
  );
  database.knex.initialize();
  return traces;
}

/** Waits until nothing is open that was not open then. */
export async function noTracesSince(before: Traces, database: TestDatabase): Promise<void> {
  await database.knex.destroy();
  let now = before;
  await waitFor(
    async () => {
      now = await look(database);
      const kinds = Object.entries(now.resources);
      return (
        now.sessions === 0 &&
        now.redisClients <= before.redisClients &&
        kinds.every(([kind, count]) => count <= (before.resources[kind] ?? 0))
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
