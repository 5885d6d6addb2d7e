import { Router } from 'express';
import helmet from 'helmet';
import type { DeploymentController } from '../deployments/deployment.controller.ts';
import type { FleetController } from '../devices/fleet.controller.ts';
import type { HostContext } from '../host-contract.ts';
import type { MetricsController } from '../metrics/metrics.controller.ts';
import type { StreamController } from '../progress/stream.controller.ts';
import { requireAdmin } from './guards.ts';
import { jsonBody } from './json-body.ts';
import { openApiDocument } from './openapi.ts';
import { unknownRoute } from './problem.ts';
import { requireSameOrigin } from './same-origin.ts';

/** Ten thousand device ids fit. */
const BODY_LIMIT = 1024 * 1024;

export interface AdminControllers {
  deployments: DeploymentController;
  fleet: FleetController;
  metrics: MetricsController;
  stream: StreamController;
}

/** The admin API, `/api/v1/admin/ota` (CONTRACT section 5). */
export function createAdminRouter(
  auth: HostContext['auth'],
  { deployments, fleet, metrics, stream }: AdminControllers,
): Router {
  const router = Router();
  router.use(helmet(), requireSameOrigin, requireAdmin(auth), jsonBody(BODY_LIMIT));

  router.get('/deployments', deployments.list);
  router.post('/deployments', deployments.create);
  router.post('/deployments/preview', deployments.preview);
  router.get('/deployments/:id', deployments.detail);
  router.get('/deployments/:id/devices', deployments.devices);
  router.post('/deployments/:id/start', deployments.act('start'));
  router.post('/deployments/:id/pause', deployments.act('pause'));
  router.post('/deployments/:id/resume', deployments.act('resume'));
  router.post('/deployments/:id/cancel', deployments.act('cancel'));
  router.post('/deployments/:id/expand', deployments.expand);
  router.post('/deployments/:id/retry', deployments.retry);
  router.post('/deployments/:id/devices/:device_id/rollback', deployments.rollback);
  router.delete('/deployments/:id/devices/:device_id/rollback', deployments.withdrawRollback);
  router.get('/deployments/:id/devices/:device_id/logs', fleet.logs);
  router.get('/deployments/:id/events', deployments.events);
  router.get('/deployments/:id/stream', stream.deployment);
  router.get('/stream', stream.organization);
  router.get('/devices', fleet.list);
  router.get('/metrics', metrics.read);
  router.get('/openapi.json', openApiDocument);
  router.use(unknownRoute);
  return router;
}
