/** Devices, their tokens and their refused requests, as device requests read and write them. */
import type { Knex } from 'knex';

import type { TokenOwner } from '../host/device-token-lookup.ts';
import {
  DISMISSED_HOURS,
  FORGET_HOURS,
  MAX_REQUESTS_PER_DEVICE,
  WRITE_INTERVAL_SECONDS,
  type DeviceStanding,
  type RefusalReason,
} from './enrolment-rule.ts';
import { IS_REGISTERED } from './registered-device.sql.ts';

/** An arbitrary number, the same in all processes. */
const REQUESTS_LOCK = 7_200_732;

/**
 * What lets the device `d` enrol by itself. Its registration is not dated: `updated_at` changes with every
 * heartbeat, and a window that starts there would never end. `created_at` is when an admin created the device,
 * shortly before it registered.
 */
const WINDOW = `CASE WHEN :hours::int > 0 AND d.created_at > now() - :hours::int * interval '1 hour'
                     THEN 'registration'
                     WHEN w.open_until > now() THEN 'organization' END`;

const IS_REPLACEABLE = `(r.dismissed_at IS NOT NULL
                         OR r.last_seen_at < now() - interval '${FORGET_HOURS} hours')`;

/**
 * The devices that the tokens are bound to. The organization is that of today, because devices can be moved. A
 * token stops working when the row gets another hardware id.
 */
export async function findTokenOwners(
  knex: Knex,
  hashes: readonly Buffer[],
): Promise<TokenOwner[]> {
  const { rows } = await knex
    .raw<{ rows: TokenOwner[] }>(
      `SELECT t.token_hash AS hash, d.id AS "deviceId", d.organization_id AS "organizationId"
         FROM ota_server_device_tokens t
         JOIN edge_devices d ON d.id = t.device_id AND d.device_id = t.hardware_id
        WHERE t.token_hash = ANY(?::bytea[])`,
      [[...hashes]],
    )
    .options({ name: 'ota_server_device_tokens' });
  return rows;
}

/** The registered devices among these. */
export async function readStandings(
  knex: Knex,
  deviceIds: readonly string[],
  hoursAfterRegistration: number,
): Promise<DeviceStanding[]> {
  const { rows } = await knex.raw<{ rows: DeviceStanding[] }>(
    `SELECT d.id AS "deviceId", d.organization_id AS "organizationId", d.device_id AS "hardwareId",
            ${WINDOW} AS window,
            CASE WHEN t.device_id IS NOT NULL THEN json_build_object(
              'tokenHash', encode(t.token_hash, 'hex'), 'hardwareId', t.hardware_id) END AS enrolment,
            coalesce((
              SELECT json_agg(json_build_object(
                'tokenHash', encode(r.token_hash, 'hex'),
                'isRecent', r.last_seen_at > now() - interval '${WRITE_INTERVAL_SECONDS} seconds',
                'isReplaceable', ${IS_REPLACEABLE},
                'isDismissed', coalesce(
                  r.dismissed_at > now() - interval '${DISMISSED_HOURS} hours', false)))
                FROM ota_server_enrolment_requests r WHERE r.device_id = d.id), '[]') AS requests
       FROM edge_devices d
       LEFT JOIN ota_server_device_tokens t ON t.device_id = d.id
       LEFT JOIN ota_server_enrolment_windows w ON w.organization_id = d.organization_id
      WHERE d.id = ANY(:ids::uuid[]) AND ${IS_REGISTERED}`,
    { ids: [...deviceIds], hours: hoursAfterRegistration },
  );
  return rows;
}

/** A token that a device may enrol with, or was enrolled with. */
export interface TokenOfDevice {
  deviceId: string;
  tokenHash: string;
}

/**
 * Binds the tokens to their devices, and returns those that it bound. Of several servers and tokens for one
 * device, exactly one wins: the device's id is the primary key.
 */
export async function enrolDevices(
  knex: Knex,
  tokens: readonly TokenOfDevice[],
  hoursAfterRegistration: number,
): Promise<TokenOfDevice[]> {
  const { rows } = await knex.raw<{ rows: TokenOfDevice[] }>(
    // The order keeps two servers that enrol the same devices from waiting for each other.
    `INSERT INTO ota_server_device_tokens (device_id, token_hash, hardware_id)
     SELECT d.id, decode(c.token_hash, 'hex'), d.device_id
       FROM unnest(:ids::uuid[], :hashes::text[]) AS c (device_id, token_hash)
       JOIN edge_devices d ON d.id = c.device_id
       LEFT JOIN ota_server_enrolment_windows w ON w.organization_id = d.organization_id
      WHERE ${IS_REGISTERED} AND ${WINDOW} IS NOT NULL
      ORDER BY d.id
     ON CONFLICT DO NOTHING
     RETURNING device_id AS "deviceId", encode(token_hash, 'hex') AS "tokenHash"`,
    {
      ids: tokens.map(({ deviceId }) => deviceId),
      hashes: tokens.map(({ tokenHash }) => tokenHash),
      hours: hoursAfterRegistration,
    },
  );
  return rows;
}

export interface RefusedRequest extends TokenOfDevice {
  reason: RefusalReason;
  address: string | null;
}

/**
 * Records the requests and returns those that are new. Servers do this one at a time, so that a device never has
 * more than five.
 */
export async function recordRequests(
  knex: Knex,
  refused: readonly RefusedRequest[],
): Promise<TokenOfDevice[]> {
  return knex.transaction(async (trx) => {
    await trx.raw('SELECT pg_advisory_xact_lock(?)', [REQUESTS_LOCK]);
    const { rows } = await trx.raw<{ rows: (TokenOfDevice & { id: string; isNew: boolean })[] }>(
      // A token of another device is never to be admitted for this one.
      `INSERT INTO ota_server_enrolment_requests AS r (device_id, token_hash, reason, address)
       SELECT c.device_id, decode(c.token_hash, 'hex'), c.reason, c.address
         FROM unnest(:ids::uuid[], :hashes::text[], :reasons::text[], :addresses::text[])
              AS c (device_id, token_hash, reason, address)
        WHERE NOT EXISTS (SELECT FROM ota_server_device_tokens t
                           WHERE t.token_hash = decode(c.token_hash, 'hex')
                             AND t.device_id <> c.device_id)
       ON CONFLICT (device_id, token_hash) DO UPDATE
          SET reason = excluded.reason, address = excluded.address, last_seen_at = now(),
              attempts = r.attempts + 1, dismissed_at = NULL
        WHERE r.last_seen_at <= now() - interval '${WRITE_INTERVAL_SECONDS} seconds'
       RETURNING r.request_id AS id, r.device_id AS "deviceId",
                 encode(r.token_hash, 'hex') AS "tokenHash", r.attempts = 1 AS "isNew"`,
      {
        ids: refused.map(({ deviceId }) => deviceId),
        hashes: refused.map(({ tokenHash }) => tokenHash),
        reasons: refused.map(({ reason }) => reason),
        addresses: refused.map(({ address }) => address),
      },
    );
    const removed = await removeSurplus(trx, [...new Set(rows.map(({ deviceId }) => deviceId))]);
    return rows.filter(({ id, isNew }) => isNew && !removed.includes(id));
  });
}

/** Keeps the first requests of each device whose tokens are still trying, and replaces the others. */
async function removeSurplus(trx: Knex.Transaction, deviceIds: string[]): Promise<string[]> {
  const { rows } = await trx.raw<{ rows: { id: string }[] }>(
    `DELETE FROM ota_server_enrolment_requests WHERE request_id IN (
       SELECT request_id FROM (
         SELECT r.request_id, row_number() OVER (
                  PARTITION BY r.device_id ORDER BY ${IS_REPLACEABLE}, r.request_id) AS place
           FROM ota_server_enrolment_requests r WHERE r.device_id = ANY(:ids::uuid[])) AS placed
        WHERE place > :max)
     RETURNING request_id AS id`,
    { ids: deviceIds, max: MAX_REQUESTS_PER_DEVICE },
  );
  return rows.map(({ id }) => id);
}

/** Requests of tokens that were enrolled are settled. */
export async function removeRequests(knex: Knex, tokens: readonly TokenOfDevice[]): Promise<void> {
  await knex.raw(
    `DELETE FROM ota_server_enrolment_requests r
      USING unnest(:ids::uuid[], :hashes::text[]) AS c (device_id, token_hash)
      WHERE r.device_id = c.device_id AND r.token_hash = decode(c.token_hash, 'hex')`,
    {
      ids: tokens.map(({ deviceId }) => deviceId),
      hashes: tokens.map(({ tokenHash }) => tokenHash),
    },
  );
}
