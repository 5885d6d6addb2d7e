import { Router } from 'express';
import type { Logger } from 'pino';
import type { DeviceController } from '../devices/device.controller.ts';
import type { DeviceGateway, DeviceRoute } from './device-gateway.ts';
import { jsonReader } from '../http/json-body.ts';
import { problemHandler } from '../http/problem.ts';
import { mountRoutes, type RouteTable } from '../http/route-table.ts';

const REPORT_LIMIT = 64 * 1024;
/** A full log whose every byte is escaped in JSON. */
const LOG_LIMIT = 2 * 1024 * 1024;

/** The device API (docs/contract.md, Device API). */
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

/** The routes as Express mounts them under `/api/v1/ota`. */
export function createDeviceRouter(
  routes: readonly DeviceRoute[],
  door: DeviceGateway,
  logger: Logger,
): Router {
  const router = Router();
  const table: RouteTable = {};
  for (const route of routes) {
    const method = route.method === 'GET' ? 'get' : 'post';
    (table[route.path] ??= {})[method] = (request, response) =>
      door.serve(route, (request.params as { id?: string }).id, request, response);
  }
  mountRoutes(
    router,
    table,
    (allowed) => (request, response) => door.reject(request, response, allowed),
  );
  router.use((request, response) => door.reject(request, response));
  router.use(problemHandler(logger));
  return router;
}
