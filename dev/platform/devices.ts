/** Devices as the published Ops-Center has them: the token of a device is stored nowhere, and no later call is checked. */
import { randomBytes, randomUUID } from 'node:crypto';

import express, { Router } from 'express';
import type { Knex } from 'knex';

const HEARTBEAT_SECONDS = 30;

interface RegistrationBody {
  hardware_id: string;
  registration_token: string;
  firmware_version?: string;
}

interface RegisteredRow {
  id: string;
  device_name: string;
  organization_id: string;
}

/** Mounted at `/api/v1/edge/devices`. */
export function publishedDeviceRoutes(knex: Knex): Router {
  return Router()
    .use(express.json())
    .post('/register', async (request, response) => {
      const body = request.body as RegistrationBody;
      const [device] = await knex('edge_devices')
        .where({ registration_token: body.registration_token, status: 'pending' })
        .update({
          device_id: body.hardware_id,
          registration_token: null,
          status: 'online',
          firmware_version: body.firmware_version ?? null,
          last_seen: knex.fn.now(),
          updated_at: knex.fn.now(),
        })
        .returning<RegisteredRow[]>(['id', 'device_name', 'organization_id']);
      if (!device) {
        response.status(401).json({ detail: 'Invalid or expired registration token' });
        return;
      }
      response.json({
        device_id: device.id,
        device_name: device.device_name,
        organization_id: device.organization_id,
        auth_token: randomBytes(32).toString('hex'),
        heartbeat_interval: HEARTBEAT_SECONDS,
        config_version: 1,
      });
    })
    .post('/:id/heartbeat', async (request, response) => {
      const { status } = request.body as { status: string };
      await knex('edge_devices')
        .where({ id: request.params['id'] })
        .update({ status, last_seen: knex.fn.now(), updated_at: knex.fn.now() });
      response.json({
        ack: true,
        timestamp: new Date().toISOString(),
        next_heartbeat: HEARTBEAT_SECONDS,
      });
    })
    .get('/:id/config', (_request, response) => void response.json({ version: 1, data: {} }))
    .post(['/:id/config/applied', '/:id/metrics', '/:id/logs'], (_request, response) => {
      response.status(202).json({ ack: true });
    });
}

/** Announces a device, as an admin does, and returns the token that it registers with. */
export async function announceDevice(
  knex: Knex,
  device: { name: string; type: string; organizationId: string },
): Promise<{ id: string; registrationToken: string }> {
  const id = randomUUID();
  const registrationToken = randomBytes(16).toString('hex');
  await knex('edge_devices').insert({
    id,
    device_name: device.name,
    device_type: device.type,
    organization_id: device.organizationId,
    device_id: `pending-${randomUUID()}`,
    status: 'pending',
    registration_token: registrationToken,
  });
  return { id, registrationToken };
}
