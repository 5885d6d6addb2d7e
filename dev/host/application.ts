/** The host's routes and middleware. */
import express, { type Express, type RequestHandler } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostRole } from '../../backend/host-contract.ts';
import type { ActiveRequests } from './active-requests.ts';
import { adminDeviceRoutes, edgeDeviceRoutes } from './edge-device-routes.ts';
import { liveness, readiness, type PluginState } from './health.ts';
import { AREA_PATHS, type HostServices } from './host-context.ts';
import { metricsRoute } from './metrics.ts';
import { importMapHash, pageRoutes } from './page-routes.ts';
import { HostProblem, notFound, problemHandler } from './problem.ts';
import { requestIds } from './request-id.ts';
import { sameOriginSessions } from './same-origin.ts';
import { noSniffing, securityHeaders } from './security-headers.ts';
import { signInRoutes } from './sign-in-routes.ts';

export interface ApplicationParts {
  role: HostRole;
  knex: Knex;
  logger: Logger;
  services: HostServices;
  activeRequests: ActiveRequests;
  heartbeatSeconds: number;
  metricsToken: string | undefined;
  pluginState: () => PluginState;
}

export function createApplication(parts: ApplicationParts): Express {
  const { activeRequests, knex, services } = parts;
  const { auth } = services.context;
  const app = express();
  app.disable('x-powered-by');
  if (parts.role !== 'worker') {
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
    readiness(knex, parts.pluginState, () => activeRequests.isDraining),
  );
  app.get('/metrics', metricsRoute(parts.metricsToken, parts.pluginState));
  app.use(activeRequests.handler);
  if (parts.role !== 'worker') {
    app.use('/api/v1/edge/devices', edgeDeviceRoutes(knex, auth, parts.heartbeatSeconds));
    app.use(securityHeaders([importMapHash()]));
    app.use('/api/v1/admin', sameOriginSessions);
    app.use(AREA_PATHS.admin, services.areas.admin.handler, rejectWithoutPlugin(parts.pluginState));
    app.use('/api/v1/admin/edge/devices', adminDeviceRoutes(knex, auth));
    app.use(signInRoutes(knex));
    app.use(pageRoutes(knex, services.context, services.pages));
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
