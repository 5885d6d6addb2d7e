import { Router, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { DeploymentController } from '../deployments/control/deployment.controller.ts';
import type { FleetController } from '../fleet/fleet.controller.ts';
import type { HostContext } from '../host-contract.ts';
import type { MetricsController } from '../metrics/metrics.controller.ts';
import type { StreamController } from '../live-updates/stream.controller.ts';
import { requireAdmin } from '../http/guards.ts';
import { jsonBody } from '../http/json-body.ts';
import { openApiDocument } from './openapi-document.ts';
import { unknownRoute } from '../http/problem.ts';
import { mountRoutes, refuseMethod, type RouteTable } from '../http/route-table.ts';
import { requireSameOrigin } from '../http/same-origin.ts';

/** Ten thousand device ids fit. */
const BODY_LIMIT = 1024 * 1024;

export interface AdminControllers {
  deployments: DeploymentController;
  fleet: FleetController;
  metrics: MetricsController;
  stream: StreamController;
}

/** The admin API, `/api/v1/admin/ota` (docs/contract.md, Admin API). */
export function createAdminRouter(
  auth: HostContext['auth'],
  { deployments, fleet, metrics, stream }: AdminControllers,
): Router {
  const router = Router();
  router.use(neverStored, helmet(), requireAdmin(auth), requireSameOrigin, jsonBody(BODY_LIMIT));
  const routes: RouteTable = {
    '/deployments': { get: deployments.list, post: deployments.create },
    '/deployments/preview': { post: deployments.preview },
    '/deployments/impact': { post: deployments.impactOfDraft },
    '/deployments/:id': { get: deployments.detail },
    '/deployments/:id/devices': { get: deployments.devices },
    '/deployments/:id/impact': { get: deployments.impact },
    '/deployments/:id/start': { post: deployments.act('start') },
    '/deployments/:id/pause': { post: deployments.act('pause') },
    '/deployments/:id/resume': { post: deployments.act('resume') },
    '/deployments/:id/cancel': { post: deployments.act('cancel') },
    '/deployments/:id/expand': { post: deployments.expand },
    '/deployments/:id/retry': { post: deployments.retry },
    '/deployments/:id/devices/:device_id/rollback': {
      post: deployments.rollback,
      delete: deployments.withdrawRollback,
    },
    '/deployments/:id/devices/:device_id/logs': { get: fleet.logs },
    '/deployments/:id/events': { get: deployments.events },
    '/deployments/:id/stream': { get: stream.deployment },
    '/stream': { get: stream.organization },
    '/devices': { get: fleet.list },
    '/metrics': { get: metrics.read },
    '/openapi.json': { get: openApiDocument },
  };
  mountRoutes(router, routes, refuseMethod);
  router.use(unknownRoute);
  return router;
}

/** Whatever the answer: it is about an organization, and the next one at this browser may be of another. */
const neverStored: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
