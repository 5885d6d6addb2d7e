/** Inserts the host's rows that tests need. */
import { randomUUID } from 'node:crypto';

import type { Knex } from 'knex';

import { newToken, tokenHash } from '../../backend/server/host/tokens.ts';

export interface SeededUser {
  id: string;
  name: string;
  organizationId: string;
  isAdmin: boolean;
  token: string;
}

export interface SeededDevice {
  id: string;
  name: string;
  hardwareId: string;
  organizationId: string;
  /** Bearer token for the device API. */
  token: string;
}

export interface DeviceSeed {
  organizationId: string;
  /** Default `raspberry_pi`. */
  deviceType?: string;
  /** Default `v2.0.0`. */
  firmwareVersion?: string | null | ((index: number) => string | null);
  /** Default `online`. */
  status?: 'online' | 'offline';
  /** Names are `<prefix>-<number>`, numbers from 1 with four digits; default `device`. */
  namePrefix?: string;
}

export async function insertOrganization(knex: Knex, name = 'Organization'): Promise<string> {
  const id = randomUUID();
  await knex('organizations').insert({ id, name });
  return id;
}

export async function insertUser(
  knex: Knex,
  user: { organizationId: string; name?: string; isAdmin?: boolean },
): Promise<SeededUser> {
  const id = randomUUID();
  const { organizationId, name = 'Admin', isAdmin = true } = user;
  const token = newToken('user');
  await knex('keycloak_users').insert({ id, email: `${id}@example.com` });
  await knex('users').insert({ id, organization_id: organizationId, name, is_admin: isAdmin });
  await knex('user_tokens').insert({ token_hash: tokenHash(token), user_id: id });
  return { id, name, organizationId, isAdmin, token };
}

/** Inserts registered devices in one statement. */
export async function insertDevices(
  knex: Knex,
  count: number,
  seed: DeviceSeed,
): Promise<SeededDevice[]> {
  const { organizationId, namePrefix = 'device', firmwareVersion = 'v2.0.0' } = seed;
  // Names are unique within an organization.
  const [existing] = await knex('edge_devices')
    .where({ organization_id: organizationId })
    .whereLike('device_name', `${namePrefix}-%`)
    .count<{ count: string }[]>('* as count');
  const first = Number(existing?.count ?? 0) + 1;
  const devices = Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    name: `${namePrefix}-${String(first + index).padStart(4, '0')}`,
    hardwareId: randomUUID(),
    organizationId,
    token: newToken('device'),
  }));
  const versions = devices.map((_, index) =>
    typeof firmwareVersion === 'function' ? firmwareVersion(index) : firmwareVersion,
  );
  await knex.raw(
    `WITH seed AS (
       SELECT * FROM unnest(?::uuid[], ?::text[], ?::text[], ?::text[], ?::bytea[])
         AS seed (id, name, hardware_id, version, token_hash)
     ), device AS (
       INSERT INTO edge_devices (id, device_name, device_type, organization_id, device_id, status,
                                 last_seen, firmware_version)
       SELECT id, name, ?, ?, hardware_id, ?, now(), version FROM seed
     )
     INSERT INTO edge_device_tokens (token_hash, device_id) SELECT token_hash, id FROM seed`,
    [
      devices.map((device) => device.id),
      devices.map((device) => device.name),
      devices.map((device) => device.hardwareId),
      versions,
      devices.map((device) => tokenHash(device.token)),
      seed.deviceType ?? 'raspberry_pi',
      organizationId,
      seed.status ?? 'online',
    ] as Knex.RawBinding[],
  );
  return devices;
}
