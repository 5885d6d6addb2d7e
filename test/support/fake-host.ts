/**
 * An Ops-Center for tests: the stand-in's own context and authentication on a listening Express
 * application, with users of two organizations, and without the stand-in's pages and device routes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import express, { type Express, type Router } from 'express';
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import type { HostContext, HostRole, NavigationPage } from '../../backend/host-contract.ts';
import { ActiveRequests } from '../../dev/host/active-requests.ts';
import { AREA_PATHS, createHostServices, type PluginEvent } from '../../dev/host/host-context.ts';
import { insertOrganization, insertUser, type SeededUser } from './seed.ts';

export interface FakeHostOptions {
  knex: Knex;
  /** Default `all`. */
  role?: HostRole;
  /** What the operator wrote for the plugin; default nothing. */
  config?: unknown;
  /** From `testRedisUrl()`; without it the plugin gets no Redis. */
  redisUrl?: string | null;
  /** How device requests come in; default `express`. */
  door?: DeviceDoorway;
}

/** Through the mounted router alone, or through the listener ahead of Express. */
export type DeviceDoorway = 'express' | 'ahead';

/** For the titles of tests that are run through both. */
export const DOORWAY_NAMES: Record<DeviceDoorway, string> = {
  express: 'through Express',
  ahead: 'ahead of Express',
};

export const DEVICE_DOORWAYS: readonly DeviceDoorway[] = ['express', 'ahead'];

export interface FakeHost {
  /** To be given to `activate`. */
  context: HostContext;
  app: Express;
  /** `http://127.0.0.1:<port>` */
  baseUrl: string;
  /** Without any authentication. */
  request: ReturnType<typeof supertest>;
  /** Requests with a bearer token, of a user or a device. */
  as(bearer: { token: string }): ReturnType<typeof supertest.agent>;
  organizationId: string;
  admin: SeededUser;
  /** Of the same organization, but not an admin. */
  viewer: SeededUser;
  otherOrganizationId: string;
  /** Admin of the other organization. */
  otherAdmin: SeededUser;
  /** Everything the plugin emitted, oldest first. */
  notices: PluginEvent[];
  pages(): NavigationPage[];
  /** Everything that was mounted in an area, as `get /deployments/:id`. */
  routes(area: 'admin' | 'device'): string[];
  /** What the host does first when it stops. */
  runShutdownCallbacks(): Promise<void>;
  /** Ends the listening and every connection; the plugin and the database stay as they are. */
  close(): Promise<void>;
}

export async function createFakeHost(options: FakeHostOptions): Promise<FakeHost> {
  const { knex } = options;
  const services = createHostServices({
    knex,
    role: options.role ?? 'all',
    logger: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    pluginConfig: options.config ?? {},
    redisUrl: options.redisUrl ?? undefined,
    preRouter: options.door === 'ahead',
  });
  const notices: PluginEvent[] = [];
  services.events.on('event', (notice) => notices.push(notice));

  const mounted: Record<'admin' | 'device', Router[]> = { admin: [], device: [] };
  const context: HostContext = {
    ...services.context,
    http: {
      ...services.context.http,
      mount(area, router) {
        mounted[area].push(router);
        return services.context.http.mount(area, router);
      },
    },
  };
  const app = express();
  app.use(AREA_PATHS.admin, services.areas.admin.handler);
  app.use(AREA_PATHS.device, services.areas.device.handler);
  const active = new ActiveRequests();
  const server = createServer((request, response) => {
    if (services.preRouter.handle(request, response, active)) return;
    app(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const organizationId = await insertOrganization(knex, 'First organization');
  const otherOrganizationId = await insertOrganization(knex, 'Second organization');
  return {
    context,
    app,
    baseUrl,
    request: supertest(baseUrl),
    as: ({ token }) => supertest.agent(baseUrl).auth(token, { type: 'bearer' }),
    organizationId,
    admin: await insertUser(knex, { organizationId, name: 'First admin' }),
    viewer: await insertUser(knex, { organizationId, name: 'Viewer', isAdmin: false }),
    otherOrganizationId,
    otherAdmin: await insertUser(knex, {
      organizationId: otherOrganizationId,
      name: 'Second admin',
    }),
    notices,
    pages: () => services.pages.list(),
    routes: (area) => mounted[area].flatMap(routesOf),
    runShutdownCallbacks: () => services.runShutdownCallbacks(),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function routesOf(router: Router): string[] {
  return router.stack.flatMap(({ route, handle }) => {
    if (route) {
      // What stands for every method refuses the others.
      const methods = new Set(route.stack.flatMap(({ method }) => method ?? []));
      return [...methods].map((method) => `${method} ${route.path}`);
    }
    return 'stack' in handle ? routesOf(handle as Router) : [];
  });
}
