/** The complete stand-in host, with a database of its own and the plugin of the test. */
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import { startHost, type HostSettings, type RunningHost } from '../../dev/host/host.ts';
import { createTestDatabase } from './test-database.ts';

export interface TestHost extends RunningHost {
  adminToken: string;
  secondAdminToken: string;
  /** Without authentication. */
  request: ReturnType<typeof supertest>;
  as(token: string): ReturnType<typeof supertest.agent>;
  /** The log lines of the host at level `warn` and above. */
  warnings: string[];
  /** Stops the host if it is still running, and drops the database. */
  dispose(): Promise<void>;
}

const ADMIN_TOKEN = 'admin-token-for-tests';
const SECOND_ADMIN_TOKEN = 'second-admin-token-for-tests';

/** @param prepare fills the database before the host starts */
export async function startTestHost(
  settings: Pick<HostSettings, 'pluginRoot'> & Partial<HostSettings>,
  prepare: (knex: Knex) => Promise<void> = () => Promise.resolve(),
): Promise<TestHost> {
  const database = await createTestDatabase({ schema: 'host' });
  await prepare(database.knex);
  const warnings: string[] = [];
  const host = await startHost({
    role: 'all',
    logger: pino({ level: 'warn' }, { write: (line) => void warnings.push(line) }),
    databaseUrl: database.connectionString,
    pluginConfig: {},
    port: 0,
    listen: '127.0.0.1',
    adminToken: ADMIN_TOKEN,
    secondAdminToken: SECOND_ADMIN_TOKEN,
    ...settings,
  });
  return {
    ...host,
    adminToken: ADMIN_TOKEN,
    secondAdminToken: SECOND_ADMIN_TOKEN,
    request: supertest(host.url),
    as: (token) => supertest.agent(host.url).auth(token, { type: 'bearer' }),
    warnings,
    async dispose() {
      await host.stop();
      await database.drop();
    },
  };
}
