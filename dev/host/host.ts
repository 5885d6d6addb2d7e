/** A running Ops-Center stand-in: database schema, users, routes, pages and the plugin. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import knexFactory, { type Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostRole } from '../../backend/host-contract.ts';
import { ActiveRequests } from './active-requests.ts';
import { createApplication } from './application.ts';
import type { PluginState } from './health.ts';
import { createHostServices, type HostServices } from './host-context.ts';
import { createHostTables } from './host-schema.ts';
import { startHousekeeping } from './housekeeping.ts';
import { loadPlugin } from './plugin-loader.ts';
import { createLoginLink } from './sessions.ts';
import { ensureAdmin, ensureSecondAdmin, type StandingAdmin } from './users.ts';

const DEFAULT_HEARTBEAT_SECONDS = 30;
const POOL_SIZE = 20;
/** A request that gets no database connection for so long is told to come again. */
const CONNECTION_LIMIT_MS = 10_000;
/** From the request to stop until everything is closed, by force if need be. */
const STOP_LIMIT_MS = 9_000;
/** What of it the requests under way may take. */
const DRAIN_LIMIT_MS = 4_000;

export interface HostSettings {
  role: HostRole;
  logger: Logger;
  /** PostgreSQL connection string. */
  databaseUrl: string;
  redisUrl?: string | undefined;
  /** Whether plugins may answer ahead of Express; default yes. */
  listenAhead?: boolean | undefined;
  /** Folder that holds `plugin.json`. */
  pluginRoot: string;
  pluginConfig: unknown;
  /** 0: a free one. */
  port: number;
  /** Address to listen on, e.g. `127.0.0.1`. */
  listen: string;
  /** Made when it is missing. */
  adminToken?: string | undefined;
  /** Makes a second organization with an admin of its own. */
  secondAdminToken?: string | undefined;
  /** What a scraper brings to `/metrics`; missing: there are no metrics. */
  metricsToken?: string | undefined;
  /** Default 30. */
  heartbeatSeconds?: number;
}

export interface RunningHost {
  /** As this machine reaches it, e.g. `http://localhost:8084`. */
  url: string;
  /** `null` in the role `worker`, which leaves users alone. */
  admin: StandingAdmin | null;
  secondAdmin: StandingAdmin | null;
  /** False: the plugin is broken and was skipped. */
  pluginActive: boolean;
  knex: Knex;
  notices: HostServices['notices'];
  /** Address that signs the admin in, once. */
  createLoginUrl(): Promise<string>;
  /** Finishes what is under way, takes the plugin down and closes everything. */
  stop(): Promise<void>;
}

/**
 * Resolves when the plugin is active, or was found to be broken; requests are taken before that.
 *
 * @throws when the database or the port cannot be had
 */
export async function startHost(settings: HostSettings): Promise<RunningHost> {
  const { logger, role } = settings;
  const heartbeatSeconds = settings.heartbeatSeconds ?? DEFAULT_HEARTBEAT_SECONDS;
  const knex = knexFactory({
    client: 'pg',
    connection: named(settings.databaseUrl, `ops-center-${role}`),
    pool: { min: 0, max: POOL_SIZE },
    acquireConnectionTimeout: CONNECTION_LIMIT_MS,
    // Errors are logged; what was to be stored is nobody's business there.
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
  // Express is the rule; what a plugin answers ahead of it is what comes thousands of times a second.
  const server = createServer((request, response) => {
    if (services.ahead.take(request, response, activeRequests)) return;
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
  services.notices.on('notice', ({ name, payload }) =>
    logger.info({ notice: name, ...payload }, 'Notice from the plugin'),
  );
  const stopHousekeeping =
    role === 'worker' ? null : startHousekeeping(knex, heartbeatSeconds, logger);

  const loaded = await loadPlugin(settings.pluginRoot, services.context, logger);
  pluginState = loaded ?? 'failed';
  const url = urlOf(server.address() as AddressInfo);

  let stopping: Promise<void> | null = null;
  async function shutDown(): Promise<void> {
    const within = limitedTo(STOP_LIMIT_MS, logger);
    const closed = once(server, 'close');
    server.close();
    await within('the shutdown callbacks', services.runShutdownCallbacks());
    await within('requests under way', activeRequests.drain(DRAIN_LIMIT_MS));
    await within('the plugin', loaded?.unload());
    server.closeAllConnections();
    await closed;
    await within('the housekeeping', stopHousekeeping?.());
    await within('the database connections', knex.destroy());
  }
  return {
    ...users,
    url,
    pluginActive: loaded !== null,
    knex,
    notices: services.notices,
    async createLoginUrl() {
      if (!users.admin) throw new Error('A worker has no pages to sign in to.');
      return `${url}/login?code=${await createLoginLink(knex, users.admin.userId)}`;
    },
    stop: () => (stopping ??= shutDown()),
  };
}

/** With the name the database shows for our connections, unless the operator gave one. */
function named(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  if (!url.searchParams.has('application_name')) url.searchParams.set('application_name', name);
  return url.href;
}

async function prepareUsers(
  knex: Knex,
  { role, adminToken, secondAdminToken }: HostSettings,
): Promise<{ admin: StandingAdmin | null; secondAdmin: StandingAdmin | null }> {
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
      `The host cannot listen on ${address}:${port}. If something else does, choose a port with PORT.`,
      { cause: error },
    );
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(address)) return `http://localhost:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Steps of a stop share one limit: a step that hangs must not keep the others from being done. */
function limitedTo(
  limitMs: number,
  logger: Logger,
): (what: string, step: Promise<unknown> | undefined) => Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  const expired = new Promise<'expired'>((resolve) => {
    limit.addEventListener('abort', () => resolve('expired'), { once: true });
  });
  return async (what, step) => {
    const outcome = await Promise.race([step, expired]);
    if (outcome === 'expired') logger.warn(`Stopping without waiting any longer for ${what}`);
  };
}
