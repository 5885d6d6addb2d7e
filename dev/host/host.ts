/** The stand-in host: database schema, users, device registration, pages and the plugin. */
import { Router } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostContext, HostRole } from '../../backend/host-contract.ts';
import type { HostRoutes } from '../../backend/server/host/application.ts';
import { openDatabasePool } from '../../backend/server/host/database-pool.ts';
import type { NavigationPages } from '../../backend/server/host/navigation-pages.ts';
import { startPluginHost, type PluginHost } from '../../backend/server/host/plugin-host.ts';
import { createAdminAuth } from './admin-auth.ts';
import { startCleanup } from './cleanup.ts';
import { createDeviceAuth } from './device-auth.ts';
import { adminDeviceRoutes, edgeDeviceRoutes } from './edge-device-routes.ts';
import { createHostTables } from './host-schema.ts';
import { pageRoutes, pageScriptHashes } from './page-routes.ts';
import { createLoginLink } from './sessions.ts';
import { signInRoutes } from './sign-in-routes.ts';
import { ensureAdmin, ensureSecondAdmin, type HostAdmin } from './users.ts';

const DEFAULT_HEARTBEAT_SECONDS = 30;

export interface HostSettings {
  role: HostRole;
  logger: Logger;
  /** PostgreSQL connection string. */
  databaseUrl: string;
  redisUrl?: string | undefined;
  /** Whether to offer `http.preRouter` to the plugin; default true. */
  preRouter?: boolean | undefined;
  /** Folder that holds `plugin.json`. */
  pluginRoot: string;
  pluginConfig: unknown;
  /** 0: a free port. */
  port: number;
  /** Address to listen on, e.g. `127.0.0.1`. */
  listen: string;
  /** Generated if missing. */
  adminToken?: string | undefined;
  /** If set, creates a second organization with this token for its admin. */
  secondAdminToken?: string | undefined;
  /** Bearer token for `/metrics`; without it there is no such route. */
  metricsToken?: string | undefined;
  /** Default 30. */
  heartbeatSeconds?: number;
}

export interface RunningHost extends PluginHost {
  /** `null` in the role `worker`, which does not create users. */
  admin: HostAdmin | null;
  secondAdmin: HostAdmin | null;
  knex: Knex;
  /** Creates a URL that signs the admin in once. */
  createLoginUrl(): Promise<string>;
  /** Waits for active requests, deactivates the plugin and closes everything. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the host. Requests are accepted before the plugin is active. Resolves when the plugin is active
 * or its activation has failed.
 *
 * @throws Error if the database is unavailable or the port is in use
 */
export async function startHost(settings: HostSettings): Promise<RunningHost> {
  const { logger, role } = settings;
  const heartbeatSeconds = settings.heartbeatSeconds ?? DEFAULT_HEARTBEAT_SECONDS;
  const knex = openDatabasePool(settings.databaseUrl, `ops-center-${role}`);
  let users: Awaited<ReturnType<typeof prepareUsers>>;
  let host: PluginHost;
  try {
    await createHostTables(knex);
    users = await prepareUsers(knex, settings);
    host = await startPluginHost({
      ...settings,
      knex,
      auth: { admin: createAdminAuth(knex), device: createDeviceAuth(knex) },
      routes: (context, pages) => hostRoutes(knex, context, pages, heartbeatSeconds),
    });
  } catch (error) {
    await knex.destroy();
    throw error;
  }
  const stopCleanup = role === 'worker' ? null : startCleanup(knex, heartbeatSeconds, logger);

  let stopping: Promise<void> | null = null;
  async function shutDown(): Promise<void> {
    await host.stop();
    await stopCleanup?.();
    await knex.destroy();
  }
  return {
    ...host,
    ...users,
    knex,
    async createLoginUrl() {
      if (!users.admin) throw new Error('A worker process has no pages to sign in to.');
      return `${host.url}/login?code=${await createLoginLink(knex, users.admin.userId)}`;
    },
    stop: () => (stopping ??= shutDown()),
  };
}

function hostRoutes(
  knex: Knex,
  context: HostContext,
  pages: NavigationPages,
  heartbeatSeconds: number,
): HostRoutes {
  const { auth } = context;
  return {
    devices: Router().use('/api/v1/edge/devices', edgeDeviceRoutes(knex, auth, heartbeatSeconds)),
    admins: Router()
      .use('/api/v1/admin/edge/devices', adminDeviceRoutes(knex, auth))
      .use(signInRoutes(knex))
      .use(pageRoutes(knex, context, pages)),
    scriptHashes: pageScriptHashes(),
  };
}

async function prepareUsers(
  knex: Knex,
  { role, adminToken, secondAdminToken }: HostSettings,
): Promise<{ admin: HostAdmin | null; secondAdmin: HostAdmin | null }> {
  if (role === 'worker') return { admin: null, secondAdmin: null };
  return {
    admin: await ensureAdmin(knex, adminToken),
    secondAdmin: secondAdminToken ? await ensureSecondAdmin(knex, secondAdminToken) : null,
  };
}
