/** Ops-Center's routes to create, register and list devices, and for their heartbeats and reports. */
import { isIP } from 'node:net';

import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Knex } from 'knex';

import type { AdminIdentity, HostContext } from '../../backend/host-contract.ts';
import {
  createDevice,
  listDevices,
  recordHeartbeat,
  registerDevice,
  storeReport,
  type ReportKind,
} from './edge-device.repository.ts';
import {
  deviceListQuery,
  generateTokenBody,
  heartbeatBody,
  registerBody,
  reportBody,
} from './edge-device.schema.ts';
import { HostProblem, validated } from '../../backend/server/host/problem.ts';

const BODY_LIMIT = '256kb';
const UNIQUE_VIOLATION = '23505';
/** The same for every device; a real Ops-Center has one per device. */
const DEVICE_CONFIG = { version: 1, data: {} };

/** Mounted at `/api/v1/admin/edge/devices`. */
export function adminDeviceRoutes(knex: Knex, auth: HostContext['auth']): Router {
  return Router()
    .use(express.json({ limit: BODY_LIMIT }))
    .get('/', async (request, response) => {
      const admin = await requireAdmin(auth, request);
      const { search, cursor, limit } = validated(deviceListQuery, request.query);
      const { organizationId } = admin;
      const after = cursor ? readCursor(cursor) : null;
      const found = await listDevices(knex, { organizationId, search, after, limit: limit + 1 });
      const devices = found.slice(0, limit);
      const last = found.length > limit ? devices.at(-1) : undefined;
      response.json({
        devices,
        next_cursor: last ? writeCursor([last.device_name, last.device_id]) : null,
      });
    })
    .post('/generate-token', async (request, response) => {
      const admin = await requireAdmin(auth, request);
      const body = validated(generateTokenBody, request.body);
      if (body.organization_id && body.organization_id !== admin.organizationId) {
        throw new HostProblem('forbidden', 'You can only create devices in your own organization.');
      }
      const device = await createDevice(knex, {
        organizationId: admin.organizationId,
        name: body.device_name,
        type: body.device_type,
      }).catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
        throw new HostProblem('conflict', 'Another device in the organization has this name.');
      });
      response.status(201).json({
        device_id: device.id,
        registration_token: device.registrationToken,
        expires_at: device.expiresAt,
      });
    });
}

/** Mounted at `/api/v1/edge/devices`. */
export function edgeDeviceRoutes(
  knex: Knex,
  auth: HostContext['auth'],
  heartbeatSeconds: number,
): Router {
  const report =
    (kind: ReportKind): RequestHandler =>
    async (request, response) => {
      const deviceId = await requireDevice(auth, request);
      await storeReport(knex, deviceId, kind, validated(reportBody, request.body));
      response.status(202).json({ ack: true });
    };
  return Router()
    .use(express.json({ limit: BODY_LIMIT }))
    .post('/register', (request, response) => register(knex, heartbeatSeconds, request, response))
    .post('/:id/heartbeat', async (request, response) => {
      const deviceId = await requireDevice(auth, request);
      const { ip_address: address } = validated(heartbeatBody, request.body);
      await recordHeartbeat(knex, deviceId, address && isIP(address) ? address : null);
      response.json({
        ack: true,
        timestamp: new Date().toISOString(),
        next_heartbeat: heartbeatSeconds,
      });
    })
    .get('/:id/config', async (request, response) => {
      await requireDevice(auth, request);
      response.json(DEVICE_CONFIG);
    })
    .post('/:id/config/applied', report('config_applied'))
    .post('/:id/metrics', report('metrics'))
    .post('/:id/logs', report('logs'));
}

async function register(
  knex: Knex,
  heartbeatSeconds: number,
  request: Request,
  response: Response,
): Promise<void> {
  const body = validated(registerBody, request.body);
  const device = await registerDevice(knex, {
    registrationToken: body.registration_token,
    hardwareId: body.hardware_id,
    firmwareVersion: body.firmware_version,
    metadata: body.metadata,
  }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
    throw new HostProblem('conflict', 'Another device is registered with this hardware id.');
  });
  if (!device) {
    throw new HostProblem('unauthenticated', 'The registration token is unknown, used or expired.');
  }
  response.json({
    device_id: device.id,
    device_name: device.name,
    organization_id: device.organizationId,
    auth_token: device.token,
    heartbeat_interval: heartbeatSeconds,
    config_version: DEVICE_CONFIG.version,
  });
}

/** @throws {HostProblem} `unauthenticated`, `forbidden` */
export async function requireAdmin(
  auth: HostContext['auth'],
  request: Request,
): Promise<AdminIdentity> {
  const user = await auth.admin(request);
  if (!user) throw new HostProblem('unauthenticated', 'Sign in, or send a valid bearer token.');
  if (!user.isAdmin) throw new HostProblem('forbidden', 'Only admins can do this.');
  return user;
}

/**
 * Returns the id of the device. Its token must belong to the device in the path.
 *
 * @throws {HostProblem} `unauthenticated`, `forbidden`
 */
async function requireDevice(auth: HostContext['auth'], request: Request): Promise<string> {
  const device = await auth.device(request);
  if (!device) throw new HostProblem('unauthenticated', 'Send the bearer token of the device.');
  if (device.deviceId !== request.params['id']) {
    throw new HostProblem('forbidden', 'The token belongs to another device.');
  }
  return device.deviceId;
}

function writeCursor(position: [string, string]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function readCursor(cursor: string): [string, string] {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(position) && position.length === 2) {
      const [name, id] = position as unknown[];
      if (typeof name === 'string' && typeof id === 'string' && UUID.test(id)) return [name, id];
    }
  } catch {
    // Reported below.
  }
  throw new HostProblem('invalid_request', 'The cursor is not valid.');
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
