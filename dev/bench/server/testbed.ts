/** The environment of the server benchmark: PostgreSQL, Redis, host processes, and a fleet in the database. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import knexFactory, { type Knex } from 'knex';

import type { Protection } from '../../../backend/contract/states.ts';
import { startEmbeddedPostgres } from '../../../backend/server/postgres/embedded-postgres.ts';
import { HostProcess } from '../../host/host-process.ts';
import { startRedisServer } from '../../redis/redis-server.ts';
import type { DeviceCredentials } from '../../fleet/device-connection.ts';

/** As on a production server of this size; commits are flushed to disk. */
const DATABASE_SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  max_connections: '200',
};
const ADMIN_TOKEN = 'admin-token-of-the-bench';

export interface Testbed {
  knex: Knex;
  databaseUrl: string;
  redisUrl: string;
  adminToken: string;
  /** Starts another host process on this database and queue. */
  startHost(options?: HostOptions): Promise<HostProcess>;
  close(): Promise<void>;
}

export interface HostOptions {
  role?: 'api' | 'worker' | 'all';
  pluginConfig?: object;
  nodeOptions?: readonly string[];
  preRouter?: boolean;
  processes?: number;
}

/** @throws Error if Redis is not installed */
export async function openTestbed(): Promise<Testbed> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-bench-server-'));
  const database = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'postgres'),
    persistent: true,
    settings: DATABASE_SETTINGS,
  });
  const redis = await startRedisServer();
  if (!redis)
    throw new Error('The benchmark needs redis-server (on Debian: apt-get install redis-server).');
  const databaseUrl = database.connectionString();
  const knex = knexFactory({ client: 'pg', connection: databaseUrl, pool: { min: 0, max: 8 } });
  const hosts: HostProcess[] = [];
  return {
    knex,
    databaseUrl,
    redisUrl: redis.url,
    adminToken: ADMIN_TOKEN,
    async startHost({ role = 'all', pluginConfig = {}, ...options } = {}) {
      const host = await HostProcess.start({
        role,
        databaseUrl,
        redisUrl: redis.url,
        pluginConfig,
        adminToken: ADMIN_TOKEN,
        ...options,
      });
      hosts.push(host);
      return host;
    },
    async close() {
      await Promise.all(hosts.map((host) => host.kill('SIGTERM')));
      await knex.destroy();
      await redis.stop();
      await database.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The protection that all devices have reported. */
export const PROTECTION: Protection = 'files';

/** The version of the device with this number. */
export function versionOf(number: number): string {
  return `v1.${number % 10}.0`;
}

/** Inserts registered devices, which stay online without heartbeats, and what they have reported with earlier polls. */
export async function addDevices(
  knex: Knex,
  { first, size, type }: { first: number; size: number; type: string },
): Promise<void> {
  const range = { from: first, to: first + size - 1, type, protection: PROTECTION };
  await knex.raw(
    `INSERT INTO edge_devices
       (id, device_name, device_type, organization_id, device_id, status, last_seen, firmware_version)
     SELECT md5('bench-' || n)::uuid, 'device-' || n, :type,
            (SELECT organization_id FROM users LIMIT 1), 'hw-' || n, 'online', now() + interval '1 day',
            'v1.' || (n % 10) || '.0'
     FROM generate_series(CAST(:from AS int), :to) AS n`,
    range,
  );
  await knex.raw(
    `INSERT INTO edge_device_tokens (token_hash, device_id)
     SELECT sha256(convert_to('bench_' || n, 'UTF8')), md5('bench-' || n)::uuid
     FROM generate_series(CAST(:from AS int), :to) AS n`,
    range,
  );
  await knex.raw(
    `INSERT INTO ota_devices (device_id, organization_id, protection)
     SELECT id, organization_id, :protection FROM edge_devices WHERE device_type = :type`,
    range,
  );
  await knex.raw('VACUUM ANALYZE edge_devices, edge_device_tokens, ota_devices');
}

/** The device with this number, as inserted by {@link addDevices}. */
export function deviceOf(number: number): DeviceCredentials {
  const digest = createHash('md5').update(`bench-${number}`).digest('hex');
  const id = digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { id, token: `bench_${number}` };
}
