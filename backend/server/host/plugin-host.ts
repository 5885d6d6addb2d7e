/** A host process: routes, the plugin, and an orderly end. What differs between hosts comes with the settings. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostContext, HostRole } from '../../host-contract.ts';
import { ActiveRequests } from './active-requests.ts';
import { createApplication, type HostRoutes } from './application.ts';
import { withoutBasePath } from './base-path.ts';
import type { HealthCheck, PluginState } from './health.ts';
import { createHostServices } from './host-context.ts';
import type { NavigationPages } from './navigation-pages.ts';
import { loadPlugin } from './plugin-loader.ts';

/** Time limit of the whole shutdown; steps that are still running then are abandoned. */
const STOP_LIMIT_MS = 9_000;
/** Share of it for active requests. */
const DRAIN_LIMIT_MS = 4_000;

export interface PluginHostSettings {
  role: HostRole;
  logger: Logger;
  /** The plugin gets it, too. The caller closes it after {@link PluginHost.stop}. */
  knex: Knex;
  /** Missing: the queue is in PostgreSQL. */
  redisUrl?: string | undefined;
  auth: HostContext['auth'];
  /** Whether to offer `http.preRouter` to the plugin; default true. */
  preRouter?: boolean | undefined;
  /** Folder that holds `plugin.json`. */
  pluginRoot: string;
  pluginConfig: unknown;
  /** 0: a free port. */
  port: number;
  /** Address to listen on, e.g. `127.0.0.1`. */
  listen: string;
  /** Bearer token for `/metrics`; without it there is no such route. */
  metricsToken?: string | undefined;
  /** Proxies whose `X-Forwarded-…` headers are believed: addresses, or e.g. `10.0.0.0/8`; default none. */
  trustedProxies?: readonly string[] | undefined;
  /** Path prefix of the reverse proxy, without a slash at the end; default none. */
  basePath?: string | undefined;
  /** Checks of readiness besides those of the database and the plugin, by name. */
  healthChecks?: Readonly<Record<string, HealthCheck>>;
  /** Not called in the role `worker`, which serves health and metrics only. */
  routes(context: HostContext, pages: NavigationPages): HostRoutes;
}

export interface PluginHost {
  /** URL on this machine, e.g. `http://localhost:8084`. */
  url: string;
  /** False: the plugin could not be activated. */
  pluginActive: boolean;
  /** Waits for active requests, deactivates the plugin and closes the port. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the host. Requests are accepted before the plugin is active. Resolves when the plugin is active
 * or its activation has failed.
 *
 * @throws Error if the port is in use
 */
export async function startPluginHost(settings: PluginHostSettings): Promise<PluginHost> {
  const { logger, role } = settings;
  const services = createHostServices(settings);
  const activeRequests = new ActiveRequests();
  let pluginState: PluginState = 'starting';
  const application = createApplication({
    role,
    knex: settings.knex,
    logger,
    services,
    activeRequests,
    metricsToken: settings.metricsToken,
    pluginState: () => pluginState,
    healthChecks: settings.healthChecks ?? {},
    trustedProxies: settings.trustedProxies ?? [],
    routes: role === 'worker' ? null : settings.routes(services.context, services.pages),
  });
  const basePath = settings.basePath ?? '';
  const server = createServer((request, response) => {
    request.url = withoutBasePath(request.url ?? '', basePath);
    if (services.preRouter.handle(request, response, activeRequests)) return;
    application(request, response);
  });
  await listen(server, settings);
  services.events.on('event', ({ name, payload }) =>
    logger.info({ event: name, ...payload }, 'Plugin event'),
  );
  const loaded = await loadPlugin(settings.pluginRoot, services.context, logger);
  pluginState = loaded ?? 'failed';

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
  }
  return {
    url: urlOf(server.address() as AddressInfo),
    pluginActive: loaded !== null,
    stop: () => (stopping ??= shutDown()),
  };
}

async function listen(
  server: Server,
  { port, listen: address }: Pick<PluginHostSettings, 'port' | 'listen'>,
): Promise<void> {
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
