/** The routes and middleware of a host, in their order. */
import express, { type Express, type RequestHandler, type Router } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostRole } from '../../host-contract.ts';
import type { ActiveRequests } from './active-requests.ts';
import { liveness, readiness, type HealthCheck, type PluginState } from './health.ts';
import { AREA_PATHS, type HostServices } from './host-context.ts';
import { metricsRoute } from './metrics.ts';
import { HostProblem, notFound, problemHandler } from './problem.ts';
import { requestIds } from './request-id.ts';
import { sameOriginSessions } from './same-origin.ts';
import { noSniffing, securityHeaders } from './security-headers.ts';

/** What a host serves besides the plugin. */
export interface HostRoutes {
  /** For devices and programs: no headers for browsers. */
  devices?: Router;
  /** For admins and their browsers. */
  admins: Router;
  /** Hashes of the allowed inline scripts, e.g. `'sha256-…'`. */
  scriptHashes: readonly string[];
}

export interface ApplicationParts {
  role: HostRole;
  knex: Knex;
  logger: Logger;
  services: HostServices;
  activeRequests: ActiveRequests;
  metricsToken: string | undefined;
  pluginState: () => PluginState;
  /** Checks of readiness besides those of the database and the plugin, by name. */
  healthChecks: Readonly<Record<string, HealthCheck>>;
  /** Express's `trust proxy`: addresses of proxies whose `X-Forwarded-…` headers are believed. */
  trustedProxies: readonly string[];
  /** `null` in the role `worker`. */
  routes: HostRoutes | null;
}

export function createApplication(parts: ApplicationParts): Express {
  const { activeRequests, knex, routes, services } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', parts.trustedProxies);
  if (routes) {
    // Device routes come first: thousands of polls per second skip the middleware below.
    app.use(
      AREA_PATHS.device,
      activeRequests.handler,
      services.areas.device.handler,
      rejectWithoutPlugin(parts.pluginState),
    );
  }
  app.use(requestIds, noSniffing);
  app.get('/health', liveness);
  app.get(
    '/health/ready',
    readiness({
      knex,
      pluginState: parts.pluginState,
      isDraining: () => activeRequests.isDraining,
      checks: parts.healthChecks,
    }),
  );
  app.get('/metrics', metricsRoute(parts.metricsToken, parts.pluginState));
  app.use(activeRequests.handler);
  if (routes) {
    if (routes.devices) app.use(routes.devices);
    app.use(securityHeaders(routes.scriptHashes));
    app.use('/api/v1/admin', sameOriginSessions);
    app.use(AREA_PATHS.admin, services.areas.admin.handler, rejectWithoutPlugin(parts.pluginState));
    app.use(routes.admins);
  }
  app.use(notFound);
  app.use(problemHandler(parts.logger));
  return app;
}

/** Answers 503 while the plugin is starting or after its activation failed, so that clients try again later. */
function rejectWithoutPlugin(pluginState: () => PluginState): RequestHandler {
  return (_request, _response, next) => {
    const state = pluginState();
    if (state !== 'starting' && state !== 'failed') {
      next();
      return;
    }
    throw new HostProblem(
      'unavailable',
      state === 'starting' ? 'The plugin is starting.' : 'The plugin could not be activated.',
    );
  };
}
