/**
 * A host in front of the tables of the published Ops-Center: the enrolment of devices, the published registration
 * route, and the plugin if it is activated.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Router, type Request } from 'express';
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import type { ActivePlugin, AdminIdentity } from '../../../backend/host-contract.ts';
import { activate } from '../../../backend/plugin.ts';
import { createEnrolment, type Enrolment } from '../../../backend/server/devices/enrolment.ts';
import { ActiveRequests } from '../../../backend/server/host/active-requests.ts';
import { createApplication } from '../../../backend/server/host/application.ts';
import { createHostServices } from '../../../backend/server/host/host-context.ts';
import { HostProblem } from '../../../backend/server/host/problem.ts';
import { bearerToken } from '../../../backend/server/host/tokens.ts';
import { publishedDeviceRoutes } from '../../../dev/platform/devices.ts';

export const ENROLMENT_API = '/api/v1/admin/ota-server/enrolment';
/** The organization of `tables.sql`. */
export const ORGANIZATION = '00000000-0000-4000-8000-000000000001';

export interface EnrolmentHostOptions {
  knex: Knex;
  /** Default 24. */
  hoursAfterRegistration?: number;
  /** Default none. */
  trustedProxies?: readonly string[];
  /** Whether to activate the plugin. Without it, `/api/v1/ota/identity` answers who a device is. */
  plugin?: boolean;
}

export interface EnrolmentHost {
  url: string;
  enrolment: Enrolment;
  /** Log entries at level `info` and above, oldest first. */
  log: Record<string, unknown>[];
  /** Served at `/packages/:name`. */
  packages: Map<string, Buffer>;
  admin(organizationId?: string): ReturnType<typeof supertest.agent>;
  viewer(): ReturnType<typeof supertest.agent>;
  anonymous: ReturnType<typeof supertest>;
  /** Sends a device request; answers its status, and the identity if it is 200. */
  identify(device: DeviceRequest): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

export interface DeviceRequest {
  /** `null`: the parameter is missing. */
  id: string | null;
  token: string;
  headers?: Record<string, string>;
}

export async function startEnrolmentHost(options: EnrolmentHostOptions): Promise<EnrolmentHost> {
  const { knex, trustedProxies = [] } = options;
  const log: Record<string, unknown>[] = [];
  const write = (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>);
  const logger = pino({ level: 'info' }, { write });
  const admin = (request: Request) => Promise.resolve(identityOf(request));
  const enrolment = createEnrolment(
    { hoursAfterRegistration: options.hoursAfterRegistration ?? 24 },
    { knex, logger, admin, trustedProxies },
  );
  await enrolment.migrate();

  const services = createHostServices({
    role: 'all',
    logger: pino({ level: 'silent' }),
    knex,
    auth: { admin, device: (request) => enrolment.authenticate(request) },
    pluginConfig: {
      allow_insecure_loopback_packages: true,
      poll_interval_seconds: 1,
      reconcile_seconds: 1,
    },
  });
  const packages = new Map<string, Buffer>();
  const activeRequests = new ActiveRequests();
  let plugin: ActivePlugin | null = null;
  if (options.plugin) plugin = await activate(services.context);
  else services.context.http.mount('device', identityRoute(enrolment));
  const app = createApplication({
    role: 'all',
    knex,
    logger,
    services,
    activeRequests,
    metricsToken: undefined,
    pluginState: () => ({ plugin, manifest: {} }) as never,
    healthChecks: {},
    trustedProxies,
    routes: {
      devices: Router()
        .use('/api/v1/edge/devices', publishedDeviceRoutes(knex))
        .get('/packages/:name', (request, response) => {
          response.send(packages.get(request.params.name));
        }),
      admins: Router().use(ENROLMENT_API, enrolment.routes),
      scriptHashes: [],
    },
  });
  const server = createServer((request, response) => {
    if (services.preRouter.handle(request, response, activeRequests)) return;
    app(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    enrolment,
    log,
    packages,
    admin: (organizationId = ORGANIZATION) =>
      supertest.agent(url).auth(`admin.${organizationId}`, { type: 'bearer' }),
    viewer: () => supertest.agent(url).auth(`viewer.${ORGANIZATION}`, { type: 'bearer' }),
    anonymous: supertest(url),
    async identify({ id, token, headers = {} }) {
      const query = id === null ? '' : `?device_id=${encodeURIComponent(id)}`;
      const response = await fetch(`${url}/api/v1/ota/identity${query}`, {
        headers: { ...headers, authorization: `Bearer ${token}` },
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async close() {
      await plugin?.deactivate();
      await enrolment.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Bearer tokens of the form `admin.<organization>`. */
function identityOf(request: Request): AdminIdentity | null {
  const [role, organizationId] = (bearerToken(request.get('authorization')) ?? '').split('.');
  if (organizationId === undefined) return null;
  return {
    userId: `${role} of ${organizationId}`,
    name: 'Ada',
    organizationId,
    isAdmin: role === 'admin',
  };
}

function identityRoute(enrolment: Enrolment): Router {
  return Router().get('/identity', async (request, response) => {
    const identity = await enrolment.authenticate(request);
    if (!identity) throw new HostProblem('unauthenticated', 'Send the bearer token of the device.');
    response.json(identity);
  });
}

/** A token as the published Ops-Center issues it. */
export function newAuthToken(): string {
  return randomBytes(32).toString('hex');
}

export interface PublishedDevice {
  id: string;
  hardwareId: string;
  name: string;
}

/** Inserts a registered device. */
export async function insertPublishedDevice(
  knex: Knex,
  device: { organizationId?: string; ageHours?: number; type?: string } = {},
): Promise<PublishedDevice> {
  const id = randomUUID();
  const created = { id, hardwareId: `hardware-${id}`, name: `device-${id}` };
  await knex('edge_devices').insert({
    id,
    device_name: created.name,
    device_type: device.type ?? 'gateway',
    organization_id: device.organizationId ?? ORGANIZATION,
    device_id: created.hardwareId,
    status: 'online',
    created_at: knex.raw(`now() - ? * interval '1 hour'`, [device.ageHours ?? 0]),
  });
  return created;
}
