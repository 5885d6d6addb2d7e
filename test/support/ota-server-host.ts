/** ota-server beside a published Ops-Center, each with its own port, on a database of their own. */
import { randomBytes, randomUUID } from 'node:crypto';

import { Redis } from 'ioredis';
import type { Knex } from 'knex';
import { pino } from 'pino';

import type { PluginHost } from '../../backend/server/host/plugin-host.ts';
import { freePort } from '../../backend/server/postgres/free-port.ts';
import { startServer } from '../../backend/server/server.ts';
import { validSettings } from '../../backend/server/settings/settings.ts';
import type { RawSettings } from '../../backend/server/settings/sources.ts';
import { startPlatform, type Platform, type PlatformUser } from '../../dev/platform/platform.ts';
import { createTestDatabase } from './test-database.ts';
import { testRedisUrl } from './test-services.ts';

export interface EnrolledDevice {
  id: string;
  organizationId: string;
  /** Issued by Ops-Center, which does not store it. */
  token: string;
}

export interface OtaServerHost extends PluginHost {
  knex: Knex;
  platform: Platform;
  /** Log lines at level `warn` and above. */
  warnings: string[];
  /** Adds a user with a role in an organization, by default that of the platform. */
  addUser(role: 'owner' | 'admin' | 'member', organizationId?: string): Promise<PlatformUser>;
  addOrganization(name: string): Promise<string>;
  /** Registers a device in Ops-Center; ota-server has not heard of it. */
  addDevice(
    organizationId?: string,
    columns?: { device_type?: string; firmware_version?: string; status?: string },
  ): Promise<EnrolledDevice>;
  dispose(): Promise<void>;
}

/** @returns `null` if no redis-server is installed */
export async function startOtaServerHost(
  settings: RawSettings = {},
  pluginRoot?: string,
): Promise<OtaServerHost | null> {
  const redisUrl = await testRedisUrl();
  if (redisUrl === null) return null;
  const database = await createTestDatabase({ schema: 'host' });
  const { knex } = database;
  const redis = new Redis(redisUrl);
  const port = await freePort();
  const platform = await startPlatform({
    knex,
    port: 0,
    redis,
    otaServer: () => `http://127.0.0.1:${port}`,
  });
  const warnings: string[] = [];
  const server = await startServer(
    validSettings({
      values: {
        port,
        public_url: platform.url,
        database_url: database.connectionString,
        redis_url: redisUrl,
        trusted_proxies: ['loopback'],
        admins: { platform: { redis: { url: redisUrl } } },
        // All tests share one Redis.
        ota: { queue_prefix: `q_${randomBytes(6).toString('hex')}` },
        ...settings,
      },
      faults: [],
    }),
    pino({ level: 'warn' }, { write: (line) => void warnings.push(line) }),
    pluginRoot,
  );
  return {
    ...server,
    knex,
    platform,
    warnings,
    async addUser(role, organizationId = platform.organizationId) {
      const user: PlatformUser = { id: randomUUID(), email: `${role}@example.com`, role: 'user' };
      await knex('keycloak_users').insert({ id: user.id, email: user.email });
      await knex('organization_members').insert({
        organization_id: organizationId,
        user_id: user.id,
        role,
      });
      return user;
    },
    async addOrganization(name) {
      const id = randomUUID();
      await knex('organizations').insert({ id, name });
      return id;
    },
    async addDevice(organizationId = platform.organizationId, columns = {}) {
      const id = randomUUID();
      await knex('edge_devices').insert({
        id,
        device_name: `device-${id.slice(0, 8)}`,
        device_type: 'gateway',
        organization_id: organizationId,
        device_id: `hw-${id}`,
        status: 'online',
        firmware_version: 'v1.0.0',
        ...columns,
      });
      return { id, organizationId, token: randomBytes(32).toString('hex') };
    },
    async dispose() {
      await server.stop();
      await platform.stop();
      redis.disconnect();
      await database.drop();
    },
  };
}
