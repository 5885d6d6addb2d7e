/** Ops-Center with the plugin, on PostgreSQL and Redis, as the virtual machine reaches it. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { pino } from 'pino';

import { startEmbeddedPostgres } from '../../backend/server/postgres/embedded-postgres.ts';
import { AdminClient } from '../demo/admin-client.ts';
import { startHost } from '../host/host.ts';
import { startRedisServer } from '../redis/redis-server.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import type { CleanupSteps } from './cleanup-steps.ts';
import { HOST_ADDRESS, startGateway } from './gateway.ts';

const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../..');

export interface OpsCenter {
  admin: AdminClient;
  certificate: Certificate;
  /** As the device sees it. */
  url: string;
  /** Folder whose files are served below `/packages`. */
  packages: string;
}

export async function startOpsCenter(folder: string, cleanup: CleanupSteps): Promise<OpsCenter> {
  const packages = path.join(folder, 'packages');
  await mkdir(packages);
  const postgres = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'postgres'),
    persistent: false,
  });
  cleanup.add(() => postgres.stop());
  const redis = await startRedisServer();
  if (redis === null) throw new Error('redis-server is missing.');
  cleanup.add(() => redis.stop());
  const host = await startHost({
    role: 'all',
    logger: pino({ level: 'warn' }, pino.destination(2)),
    databaseUrl: postgres.connectionString(),
    redisUrl: redis.url,
    pluginRoot: PACKAGE_ROOT,
    pluginConfig: { poll_interval_seconds: 1 },
    port: 0,
    listen: '127.0.0.1',
  });
  cleanup.add(() => host.stop());
  if (!host.pluginActive || !host.admin?.token) {
    throw new Error('The plugin could not be activated.');
  }
  const certificate = await makeCertificate(HOST_ADDRESS, folder);
  const gateway = await startGateway(certificate, packages, host.url);
  cleanup.add(() => gateway.close());
  return {
    admin: new AdminClient(host.url, { authorization: `Bearer ${host.admin.token}` }),
    certificate,
    url: gateway.url,
    packages,
  };
}
