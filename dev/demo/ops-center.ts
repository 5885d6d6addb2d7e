/** The Ops-Center of the demo: the stand-in host with the plugin, or a published one with ota-server beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import knexFactory from 'knex';
import { pino } from 'pino';

import { startEmbeddedPostgres } from '../../backend/server/postgres/embedded-postgres.ts';
import { freePort } from '../../backend/server/postgres/free-port.ts';
import { startHost } from '../host/host.ts';
import { startPlatform } from '../platform/platform.ts';
import { waitFor } from '../wait-for.ts';
import { AdminClient } from './admin-client.ts';
import type { Cleanup } from './cleanup.ts';

const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../..');
const PLUGIN_CONFIG = { allow_insecure_loopback_packages: true, poll_interval_seconds: 1 };
const KEPT_LINES = 30;
const START_LIMIT_MS = 60_000;

export interface OpsCenter {
  /** What it is, for the first line of output. */
  name: string;
  url: string;
  /** Signs in once. */
  loginUrl: string;
  admin: AdminClient;
}

interface Options {
  /** For its database. */
  folder: string;
  /** 0: a free port. */
  port: number;
  cleanup: Cleanup;
}

/** The stand-in host, which loads the plugin. */
export async function startStandIn({ folder, port, cleanup }: Options): Promise<OpsCenter> {
  const host = await startHost({
    role: 'all',
    logger: pino({ level: 'warn' }, pino.destination(2)),
    databaseUrl: await startDatabase(folder, cleanup),
    pluginRoot: PACKAGE_ROOT,
    pluginConfig: PLUGIN_CONFIG,
    port,
    listen: '127.0.0.1',
  });
  cleanup.add(() => host.stop());
  if (!host.pluginActive || !host.admin?.token)
    throw new Error('The plugin could not be activated.');
  return {
    name: 'Ops-Center with the OTA plugin',
    url: host.url,
    loginUrl: await host.createLoginUrl(),
    admin: new AdminClient(host.url, { authorization: `Bearer ${host.admin.token}` }),
  };
}

/** An Ops-Center as it is published, which loads no plugins, and ota-server in a process of its own. */
export async function startWithServer({ folder, port, cleanup }: Options): Promise<OpsCenter> {
  const databaseUrl = await startDatabase(folder, cleanup);
  const knex = knexFactory({ client: 'pg', connection: databaseUrl });
  cleanup.add(() => knex.destroy());
  const serverPort = await freePort();
  const platform = await startPlatform({
    knex,
    port,
    redis: null,
    otaServer: () => `http://127.0.0.1:${serverPort}`,
  });
  cleanup.add(() => platform.stop());
  await startServerProcess(cleanup, {
    DATABASE_URL: databaseUrl,
    REDIS_URL: '',
    PORT: String(serverPort),
    OTA_SERVER_PUBLIC_URL: platform.url,
    OTA_SERVER_TRUSTED_PROXIES: '["loopback"]',
    OTA_SERVER_LOG_LEVEL: 'warn',
    OTA_SERVER_ADMINS: JSON.stringify({
      platform: { auth_me: { url: `${platform.url}/api/v1/auth/me` } },
    }),
    OTA_SERVER_OTA: JSON.stringify(PLUGIN_CONFIG),
  });
  return {
    name: 'Ops-Center with ota-server',
    url: platform.url,
    loginUrl: platform.loginUrl(),
    admin: new AdminClient(platform.url, {
      cookie: await platform.signIn(),
      origin: platform.url,
    }),
  };
}

async function startDatabase(folder: string, cleanup: Cleanup): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'postgres'),
    persistent: false,
  });
  cleanup.add(() => postgres.stop());
  return postgres.connectionString();
}

/** Resolves when the server is ready. */
async function startServerProcess(cleanup: Cleanup, environment: NodeJS.ProcessEnv): Promise<void> {
  const program = path.join(PACKAGE_ROOT, 'dist/backend/server/main.js');
  const server = spawn(process.execPath, [program, '--try'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(server, 'exit').then(() => 'ended' as const);
  cleanup.add(async () => {
    server.kill('SIGTERM');
    await ended;
  });
  const lines: string[] = [];
  for (const stream of [server.stdout, server.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
    });
  }
  const ready = waitFor(
    async () => (await fetch(`http://127.0.0.1:${environment['PORT']}/health/ready`)).ok,
    { timeout: START_LIMIT_MS, every: 100, describe: 'ota-server is ready' },
  );
  if ((await Promise.race([ready, ended])) === 'ended') {
    throw new Error(`ota-server exited:\n${lines.join('\n')}`);
  }
}
