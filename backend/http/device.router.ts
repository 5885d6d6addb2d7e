import { Router, type RequestHandler } from 'express';
import type { DeviceController } from '../devices/device.controller.ts';
import type { HostContext } from '../host-contract.ts';
import type { DeviceRateLimit } from './device-rate-limit.ts';
import { requireDevice } from './guards.ts';
import { jsonBody } from './json-body.ts';
import { unknownRoute } from './problem.ts';

const REPORT_LIMIT = 64 * 1024;
/** A full log whose every byte is escaped in JSON. */
const LOG_LIMIT = 2 * 1024 * 1024;

/** The device API, `/api/v1/ota` (CONTRACT section 6). */
export function createDeviceRouter(
  auth: HostContext['auth'],
  rateLimit: DeviceRateLimit,
  devices: DeviceController,
): Router {
  const router = Router();
  router.use(bareAnswers, requireDevice(auth), rateLimit.handler);

  router.get('/check-update', devices.checkUpdate);
  router.post('/deployments/:id/status', ...jsonBody(REPORT_LIMIT), devices.report);
  router.post('/deployments/:id/logs', ...jsonBody(LOG_LIMIT), devices.uploadLog);
  router.use(unknownRoute);
  return router;
}

/** Nothing here is for a browser; should one come, it finds nothing to guess, to keep or to frame. */
const bareAnswers: RequestHandler = (_request, response, next) => {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('Cache-Control', 'no-store');
  next();
};
