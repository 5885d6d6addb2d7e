import { Router } from 'express';
import type { Logger } from 'pino';
import type { DeviceController } from '../devices/device.controller.ts';
import type { DeviceGateway, DeviceRoute } from './device-gateway.ts';
import { jsonReader } from '../http/json-body.ts';
import { problemHandler } from '../http/problem.ts';
import { mountRoutes, type RouteTable } from '../http/route-table.ts';

/** Bytes of a request body. */
const REPORT_LIMIT = 64 * 1024;
/** Fits a full installation log in which JSON escapes every byte. */
const LOG_LIMIT = 2 * 1024 * 1024;

/** The routes of the device API (docs/contract.md, Device API). */
export function deviceRoutes(devices: DeviceController): DeviceRoute[] {
  return [
    {
      method: 'GET',
      path: '/check-update',
      kind: 'poll',
      readBody: null,
      handle: devices.checkUpdate,
    },
    {
      method: 'POST',
      path: '/deployments/:id/status',
      kind: 'report',
      readBody: jsonReader(REPORT_LIMIT),
      handle: devices.report,
    },
    {
      method: 'POST',
      path: '/deployments/:id/logs',
      kind: 'report',
      readBody: jsonReader(LOG_LIMIT),
      handle: devices.uploadLog,
    },
  ];
}

/** An Express router with the routes, to be mounted at `/api/v1/ota`. */
export function createDeviceRouter(
  routes: readonly DeviceRoute[],
  gateway: DeviceGateway,
  logger: Logger,
): Router {
  const router = Router();
  const table: RouteTable = {};
  for (const route of routes) {
    const method = route.method === 'GET' ? 'get' : 'post';
    (table[route.path] ??= {})[method] = (request, response) =>
      gateway.serve(route, (request.params as { id?: string }).id, request, response);
  }
  mountRoutes(
    router,
    table,
    (allowed) => (request, response) => gateway.reject(request, response, allowed),
  );
  router.use((request, response) => gateway.reject(request, response));
  router.use(problemHandler(logger));
  return router;
}
