/** Devices, their tokens and their reports in the database. */
import { randomUUID } from 'node:crypto';

import type { Knex } from 'knex';

import { newToken, tokenHash } from '../../backend/server/host/tokens.ts';

const REGISTRATION_HOURS = 24;

export interface NewDevice {
  organizationId: string;
  name: string;
  type: string;
}

export interface Registration {
  registrationToken: string;
  hardwareId: string;
  firmwareVersion: string | null;
  metadata: Record<string, unknown>;
}

export interface RegisteredDevice {
  id: string;
  name: string;
  organizationId: string;
  /** Bearer token of the device; only its hash is stored. */
  token: string;
}

export interface DeviceListing {
  device_id: string;
  device_name: string;
  device_type: string | null;
  hardware_id: string | null;
  status: string;
  firmware_version: string | null;
  ip_address: string | null;
  last_seen: Date | null;
}

export type ReportKind = 'metrics' | 'logs' | 'config_applied';

/**
 * Creates a device and the token it registers with. Until it registers, its row has the status `pending`
 * and a placeholder hardware id.
 */
export async function createDevice(
  knex: Knex,
  device: NewDevice,
): Promise<{ id: string; registrationToken: string; expiresAt: Date }> {
  const registrationToken = newToken('register');
  return knex.transaction(async (transaction) => {
    const [row] = await transaction('edge_devices')
      .insert({
        device_name: device.name,
        device_type: device.type,
        organization_id: device.organizationId,
        device_id: `pending-${randomUUID()}`,
        status: 'pending',
      })
      .returning<{ id: string }[]>('id');
    if (!row) throw new Error('The device was not stored.');
    const [token] = await transaction('edge_registration_tokens')
      .insert({
        token_hash: tokenHash(registrationToken),
        device_id: row.id,
        expires_at: transaction.raw(`now() + ? * interval '1 hour'`, [REGISTRATION_HOURS]),
      })
      .returning<{ expires_at: Date }[]>('expires_at');
    if (!token) throw new Error('The registration token was not stored.');
    return { id: row.id, registrationToken, expiresAt: token.expires_at };
  });
}

/**
 * A registration token belongs to one device. The device may register again while the token is valid,
 * because the first response may have been lost; this revokes its previous bearer token.
 *
 * @returns `null` if the token is unknown, expired, or was used by another device
 */
export async function registerDevice(
  knex: Knex,
  registration: Registration,
): Promise<RegisteredDevice | null> {
  return knex.transaction(async (transaction) => {
    const { rows } = await transaction.raw<{
      rows: { id: string; name: string; organizationId: string }[];
    }>(
      `WITH token AS (
         UPDATE edge_registration_tokens t SET used_at = coalesce(used_at, now())
           FROM edge_devices d
          WHERE t.token_hash = :hash AND t.expires_at > now() AND d.id = t.device_id
            AND (t.used_at IS NULL OR d.device_id = :hardwareId)
         RETURNING t.device_id
       )
       UPDATE edge_devices d
          SET device_id = :hardwareId, firmware_version = :version, updated_at = now(),
              status = 'online', last_seen = now(),
              metadata = coalesce(d.metadata, '{}') || :metadata::jsonb
         FROM token WHERE d.id = token.device_id
       RETURNING d.id, d.device_name AS name, d.organization_id AS "organizationId"`,
      {
        hash: tokenHash(registration.registrationToken),
        hardwareId: registration.hardwareId,
        version: registration.firmwareVersion,
        metadata: JSON.stringify(registration.metadata),
      },
    );
    const device = rows[0];
    if (!device) return null;
    const token = newToken('device');
    await transaction('edge_device_tokens').where({ device_id: device.id }).delete();
    await transaction('edge_device_tokens').insert({
      token_hash: tokenHash(token),
      device_id: device.id,
    });
    return { ...device, token };
  });
}

export async function recordHeartbeat(
  knex: Knex,
  deviceId: string,
  ipAddress: string | null,
): Promise<void> {
  await knex('edge_devices')
    .where({ id: deviceId })
    .update({
      status: 'online',
      last_seen: knex.fn.now(),
      updated_at: knex.fn.now(),
      ...(ipAddress === null ? {} : { ip_address: ipAddress }),
    });
}

/** Rows per statement: an outage of the whole fleet must not lock all rows at once and block reports. */
const OFFLINE_BATCH = 5_000;

/** Marks devices without a heartbeat for `seconds` as offline; returns how many. */
export async function markSilentDevicesOffline(knex: Knex, seconds: number): Promise<number> {
  let marked = 0;
  for (;;) {
    const silent = knex('edge_devices')
      .select('id')
      .where({ status: 'online' })
      .where('last_seen', '<', knex.raw(`now() - ? * interval '1 second'`, [seconds]))
      .limit(OFFLINE_BATCH)
      .forUpdate()
      .skipLocked();
    const count = await knex('edge_devices')
      .whereIn('id', silent)
      .update({ status: 'offline', updated_at: knex.fn.now() });
    marked += count;
    if (count < OFFLINE_BATCH) return marked;
  }
}

export async function storeReport(
  knex: Knex,
  deviceId: string,
  kind: ReportKind,
  data: unknown,
): Promise<void> {
  await knex('edge_device_reports').insert({
    device_id: deviceId,
    kind,
    data: JSON.stringify(data),
  });
}

export async function removeOldReports(knex: Knex, days: number): Promise<void> {
  await knex('edge_device_reports')
    .where('received_at', '<', knex.raw(`now() - ? * interval '1 day'`, [days]))
    .delete();
}

/** One page, ordered by name; `after`: name and id of the last device on the previous page. */
export async function listDevices(
  knex: Knex,
  query: { organizationId: string; search: string; after: [string, string] | null; limit: number },
): Promise<DeviceListing[]> {
  const devices = knex('edge_devices')
    .where({ organization_id: query.organizationId })
    .orderBy([{ column: 'device_name' }, { column: 'id' }])
    .limit(query.limit);
  if (query.search) {
    const pattern = `%${query.search.replace(/[\\%_]/g, '\\$&')}%`;
    void devices.where((either) =>
      either.whereILike('device_name', pattern).orWhereILike('device_type', pattern),
    );
  }
  if (query.after) void devices.whereRaw('(device_name, id) > (?, ?::uuid)', query.after);
  return devices.select<DeviceListing[]>(
    { device_id: 'id' },
    knex.raw(`CASE WHEN device_id NOT LIKE 'pending-%' THEN device_id END AS hardware_id`),
    'device_name',
    'device_type',
    'status',
    'firmware_version',
    'last_seen',
    knex.raw('host(ip_address) AS ip_address'),
  );
}
