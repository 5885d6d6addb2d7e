/** The stand-in host: database schema, users, routes, pages and the plugin. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import knexFactory, { type Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostRole } from '../../backend/host-contract.ts';
import { ActiveRequests } from './active-requests.ts';
import { createApplication } from './application.ts';
import { startCleanup } from './cleanup.ts';
import type { PluginState } from './health.ts';
import { createHostServices } from './host-context.ts';
import { createHostTables } from './host-schema.ts';
import { loadPlugin } from './plugin-loader.ts';
import { createLoginLink } from './sessions.ts';
import { ensureAdmin, ensureSecondAdmin, type HostAdmin } from './users.ts';

const DEFAULT_HEARTBEAT_SECONDS = 30;
const POOL_SIZE = 20;
/** A request that waits longer than this for a database connection is answered with 503. */
const CONNECTION_LIMIT_MS = 10_000;
/** Time limit of the whole shutdown; steps that are still running then are abandoned. */
const STOP_LIMIT_MS = 9_000;
/** Share of it for active requests. */
const DRAIN_LIMIT_MS = 4_000;

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

export interface RunningHost {
  /** URL on this machine, e.g. `http://localhost:8084`. */
  url: string;
  /** `null` in the role `worker`, which does not create users. */
  admin: HostAdmin | null;
  secondAdmin: HostAdmin | null;
  /** False: the plugin could not be activated. */
  pluginActive: boolean;
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
  const knex = knexFactory({
    client: 'pg',
    connection: withApplicationName(settings.databaseUrl, `ops-center-${role}`),
    pool: { min: 0, max: POOL_SIZE },
    acquireConnectionTimeout: CONNECTION_LIMIT_MS,
    // Keeps stored values out of logged errors.
    compileSqlOnError: false,
  });
  const services = createHostServices({ ...settings, knex });
  const activeRequests = new ActiveRequests();
  let pluginState: PluginState = 'starting';
  const application = createApplication({
    role,
    knex,
    logger,
    services,
    activeRequests,
    heartbeatSeconds,
    metricsToken: settings.metricsToken,
    pluginState: () => pluginState,
  });
  const server = createServer((request, response) => {
    if (services.preRouter.handle(request, response, activeRequests)) return;
    application(request, response);
  });
  let users: Awaited<ReturnType<typeof prepareUsers>>;
  try {
    await createHostTables(knex);
    users = await prepareUsers(knex, settings);
    await listen(server, settings);
  } catch (error) {
    await knex.destroy();
    throw error;
  }
  services.events.on('event', ({ name, payload }) =>
    logger.info({ event: name, ...payload }, 'Plugin event'),
  );
  const stopCleanup = role === 'worker' ? null : startCleanup(knex, heartbeatSeconds, logger);

  const loaded = await loadPlugin(settings.pluginRoot, services.context, logger);
  pluginState = loaded ?? 'failed';
  const url = urlOf(server.address() as AddressInfo);

  let stopping: Promise<void> | null = null;
  async function shutDown(): Promise<void> {
    const within = createShutdownTimer(STOP_LIMIT_MS, logger);
    const closed = once(server, 'close');
    server.close();
    await within('the shutdown callbacks', services.runShutdownCallbacks());
    await within('active requests', activeRequests.drain(DRAIN_LIMIT_MS));
    await within('the plugin', loaded?.unload());
    server.closeAllConnections();
    await closed;
    await within('the cleanup', stopCleanup?.());
    await within('the database connections', knex.destroy());
  }
  return {
    ...users,
    url,
    pluginActive: loaded !== null,
    knex,
    async createLoginUrl() {
      if (!users.admin) throw new Error('A worker process has no pages to sign in to.');
      return `${url}/login?code=${await createLoginLink(knex, users.admin.userId)}`;
    },
    stop: () => (stopping ??= shutDown()),
  };
}

/** Sets the name that PostgreSQL shows for these connections, unless the operator chose one. */
function withApplicationName(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  if (!url.searchParams.has('application_name')) url.searchParams.set('application_name', name);
  return url.href;
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

async function listen(server: Server, { port, listen: address }: HostSettings): Promise<void> {
  server.listen(port, address);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new Error(
      `The host cannot listen on ${address}:${port}. If the port is in use, set PORT to another one.`,
      { cause: error },
    );
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(address)) return `http://localhost:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** One time limit for all shutdown steps: a step that hangs must not block the steps after it. */
function createShutdownTimer(
  limitMs: number,
  logger: Logger,
): (what: string, step: Promise<unknown> | undefined) => Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  const expired = new Promise<'expired'>((resolve) => {
    limit.addEventListener('abort', () => resolve('expired'), { once: true });
  });
  return async (what, step) => {
    const outcome = await Promise.race([step, expired]);
    if (outcome === 'expired') logger.warn(`Shutdown continues without waiting for ${what}`);
  };
}
