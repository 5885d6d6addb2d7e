import { Router, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { ControlController } from '../deployments/control/control.controller.ts';
import type { CreationController } from '../deployments/creation/creation.controller.ts';
import type { ReadingController } from '../deployments/reading/reading.controller.ts';
import type { ExplanationController } from '../fleet/explanation.controller.ts';
import type { FleetController } from '../fleet/fleet.controller.ts';
import type { HostContext } from '../host-contract.ts';
import type { MetricsController } from '../metrics/metrics.controller.ts';
import type { StreamController } from '../live-updates/stream.controller.ts';
import { requireAdmin } from '../http/guards.ts';
import { jsonBody } from '../http/json-body.ts';
import { openApiDocument } from './openapi-document.ts';
import { unknownRoute } from '../http/problem.ts';
import { mountRoutes, rejectMethod, type RouteTable } from '../http/route-table.ts';
import { requireSameOrigin } from '../http/same-origin.ts';

/** Bytes. A list of 10,000 device ids fits. */
const BODY_LIMIT = 1024 * 1024;

export interface AdminControllers {
  creation: CreationController;
  reading: ReadingController;
  control: ControlController;
  fleet: FleetController;
  explanation: ExplanationController;
  metrics: MetricsController;
  stream: StreamController;
}

/** The admin API, `/api/v1/admin/ota` (docs/contract.md, Admin API). */
export function createAdminRouter(
  auth: HostContext['auth'],
  { creation, reading, control, fleet, explanation, metrics, stream }: AdminControllers,
): Router {
  const router = Router();
  router.use(noStore, helmet(), requireAdmin(auth), requireSameOrigin, jsonBody(BODY_LIMIT));
  const routes: RouteTable = {
    '/deployments': { get: reading.list, post: creation.create },
    '/deployments/preview': { post: creation.preview },
    '/deployments/impact': { post: creation.draftImpact },
    '/deployments/:id': { get: reading.detail },
    '/deployments/:id/devices': { get: reading.devices },
    '/deployments/:id/impact': { get: creation.impact },
    '/deployments/:id/start': { post: control.action('start') },
    '/deployments/:id/pause': { post: control.action('pause') },
    '/deployments/:id/resume': { post: control.action('resume') },
    '/deployments/:id/cancel': { post: control.action('cancel') },
    '/deployments/:id/expand': { post: control.expand },
    '/deployments/:id/retry': { post: control.retry },
    '/deployments/:id/devices/:device_id/rollback': {
      post: control.rollback,
      delete: control.cancelRollback,
    },
    '/deployments/:id/devices/:device_id/logs': { get: fleet.logs },
    '/deployments/:id/events': { get: reading.events },
    '/deployments/:id/stream': { get: stream.deployment },
    '/stream': { get: stream.organization },
    '/devices': { get: fleet.list },
    '/devices/:device_id/explanation': { get: explanation.read },
    '/devices/:device_id': { get: fleet.detail },
    '/devices/:device_id/history': { get: fleet.history },
    '/metrics': { get: metrics.read },
    '/openapi.json': { get: openApiDocument },
  };
  mountRoutes(router, routes, rejectMethod);
  router.use(unknownRoute);
  return router;
}

/** Responses contain one organization's data, and the next user of the browser may belong to another. */
const noStore: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
