/** ota-server beside the tables of the published Ops-Center, with a session of its user. */
import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import type { PluginHost } from '../../../backend/server/host/plugin-host.ts';
import { startServer } from '../../../backend/server/server.ts';
import { validSettings, type ServerSettings } from '../../../backend/server/settings/settings.ts';
import { ORGANIZATION } from './enrolment-host.ts';

/** The user of `tables.sql`. */
export const PLATFORM_USER = '00000000-0000-4000-8000-0000000000aa';

/** Makes the user of `tables.sql` an owner of its organization. */
export async function createMembers(knex: Knex): Promise<void> {
  await knex.raw(
    `CREATE TABLE organization_members (
       user_id uuid NOT NULL, organization_id uuid NOT NULL, role varchar(50) NOT NULL);
     INSERT INTO organization_members VALUES ('${PLATFORM_USER}', '${ORGANIZATION}', 'owner')`,
  );
}

export function publishedSettings(databaseUrl: string, redisUrl: string): ServerSettings {
  return validSettings({
    values: {
      port: 0,
      public_url: 'https://ops.example.com',
      database_url: databaseUrl,
      redis_url: redisUrl,
      admins: { platform: { redis: { url: redisUrl } } },
      // All tests share one Redis.
      ota: { queue_prefix: `q_${randomBytes(6).toString('hex')}` },
    },
    faults: [],
  });
}

/** Stores a session of the user as Ops-Center does, and returns its cookie. */
export async function openPlatformSession(redisUrl: string, lifeSeconds = 600): Promise<string> {
  const token = randomBytes(32).toString('hex');
  const redis = new Redis(redisUrl);
  const user = { user_id: PLATFORM_USER, email: 'ops@example.com', role: 'user' };
  await redis.set(`session:${token}`, JSON.stringify({ user }), 'EX', lifeSeconds);
  await redis.quit();
  return `session_token=${token}`;
}

export interface PublishedServer extends PluginHost {
  /** Log lines at level `warn` and above. */
  warnings: string[];
  /** Sends requests with the session of the user, from the page. */
  admin: ReturnType<typeof supertest.agent>;
}

export async function startPublishedServer(
  databaseUrl: string,
  redisUrl: string,
): Promise<PublishedServer> {
  const warnings: string[] = [];
  const server = await startServer(
    publishedSettings(databaseUrl, redisUrl),
    pino({ level: 'warn' }, { write: (line) => void warnings.push(line) }),
  );
  const admin = supertest.agent(server.url);
  admin.set({ cookie: await openPlatformSession(redisUrl), 'sec-fetch-site': 'same-origin' });
  return { ...server, warnings, admin };
}
