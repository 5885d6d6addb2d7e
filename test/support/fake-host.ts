/**
 * An Ops-Center for tests: the context and the authentication of the stand-in host in an Express
 * application, with users in two organizations, but without the pages and device routes of the host.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import express, { type Express, type Router } from 'express';
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import type { HostContext, HostRole, NavigationPage } from '../../backend/host-contract.ts';
import { ActiveRequests } from '../../backend/server/host/active-requests.ts';
import {
  AREA_PATHS,
  createHostServices,
  type PluginEvent,
} from '../../backend/server/host/host-context.ts';
import { createAdminAuth } from '../../dev/host/admin-auth.ts';
import { createDeviceAuth } from '../../dev/host/device-auth.ts';
import { insertOrganization, insertUser, type SeededUser } from './seed.ts';

export interface FakeHostOptions {
  knex: Knex;
  /** Default `all`. */
  role?: HostRole;
  /** The configuration of the plugin; default empty. */
  config?: unknown;
  /** From `testRedisUrl()`. Without it, the plugin gets no Redis. */
  redisUrl?: string | null;
  /** How device requests reach the plugin; default `express`. */
  entry?: DeviceEntry;
}

/** Through the mounted router only, or through the pre-router handler first. */
export type DeviceEntry = 'express' | 'pre-router';

export const DEVICE_ENTRIES: readonly DeviceEntry[] = ['express', 'pre-router'];

/** For the titles of tests that run with both. */
export const ENTRY_NAMES: Record<DeviceEntry, string> = {
  express: 'through Express',
  'pre-router': 'through the pre-router handler',
};

export interface FakeHost {
  /** For `activate`. */
  context: HostContext;
  app: Express;
  /** `http://127.0.0.1:<port>` */
  baseUrl: string;
  /** Without authentication. */
  request: ReturnType<typeof supertest>;
  /** Requests with a bearer token, of a user or a device. */
  as(bearer: { token: string }): ReturnType<typeof supertest.agent>;
  organizationId: string;
  admin: SeededUser;
  /** In the same organization, but not an admin. */
  viewer: SeededUser;
  otherOrganizationId: string;
  /** Admin of the other organization. */
  otherAdmin: SeededUser;
  /** All notices of the plugin, oldest first. */
  notices: PluginEvent[];
  pages(): NavigationPage[];
  /** The mounted routes of an area, as `get /deployments/:id`. */
  routes(area: 'admin' | 'device'): string[];
  /** The first step of the host when it stops. */
  runShutdownCallbacks(): Promise<void>;
  /** Closes the server and its connections, but not the plugin or the database. */
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
    auth: { admin: createAdminAuth(knex), device: createDeviceAuth(knex) },
    preRouter: options.entry === 'pre-router',
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
      // A handler for all methods only rejects the wrong ones.
      const methods = new Set(route.stack.flatMap(({ method }) => method ?? []));
      return [...methods].map((method) => `${method} ${route.path}`);
    }
    return 'stack' in handle ? routesOf(handle as Router) : [];
  });
}
