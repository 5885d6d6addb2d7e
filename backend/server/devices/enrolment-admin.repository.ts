/** What admins read and change. Each query is limited to the devices that are in the organization today. */
import type { Knex } from 'knex';

import type { RefusalReason } from './enrolment-rule.ts';
import { IS_REGISTERED } from './registered-device.sql.ts';

/** As in the response. */
export interface EnrolmentRequest {
  request_id: string;
  /** `edge_devices.id` */
  device_id: string;
  device_name: string;
  device_type: string;
  hardware_id: string;
  reason: RefusalReason;
  address: string | null;
  /** The first 16 hexadecimal digits of the token's SHA-256. */
  token_fingerprint: string;
  first_seen_at: Date;
  last_seen_at: Date;
  /** At most one per minute is counted. */
  attempts: number;
  /** When the device enrolled with the token that it has; `null`: it has none. */
  enrolled_at: Date | null;
}

export interface RequestQuery {
  organizationId: string;
  search: string;
  /** `request_id` of the last request on the previous page. */
  before: string | null;
  limit: number;
}

const FINGERPRINT = `left(encode(r.token_hash, 'hex'), 16)`;

/** One page, newest first. */
export async function listRequests(knex: Knex, query: RequestQuery): Promise<EnrolmentRequest[]> {
  const requests = knex('ota_server_enrolment_requests as r')
    .join('edge_devices as d', 'd.id', 'r.device_id')
    .leftJoin('ota_server_device_tokens as t', 't.device_id', 'r.device_id')
    .where('d.organization_id', query.organizationId)
    .whereNull('r.dismissed_at')
    .whereRaw(IS_REGISTERED)
    // Recorded by one server while another one admitted the token.
    .whereRaw('(t.token_hash, t.hardware_id) IS DISTINCT FROM (r.token_hash, d.device_id::text)')
    .orderBy('r.request_id', 'desc')
    .limit(query.limit);
  if (query.search) {
    const pattern = `%${query.search.replace(/[\\%_]/g, '\\$&')}%`;
    void requests.where((either) => {
      for (const column of ['d.device_name', 'd.device_type', 'd.device_id', 'r.address']) {
        void either.orWhereILike(column, pattern);
      }
      void either.orWhereRaw(`${FINGERPRINT} ILIKE ?`, [pattern]);
    });
  }
  if (query.before !== null) void requests.where('r.request_id', '<', query.before);
  return requests.select<EnrolmentRequest[]>(
    'r.request_id',
    'r.device_id',
    'd.device_name',
    'd.device_type',
    { hardware_id: 'd.device_id' },
    'r.reason',
    'r.address',
    knex.raw(`${FINGERPRINT} AS token_fingerprint`),
    'r.first_seen_at',
    'r.last_seen_at',
    knex.raw('r.attempts::int'),
    knex.raw('CASE WHEN t.token_hash IS NOT NULL THEN t.enrolled_at END AS enrolled_at'),
  );
}

export interface AdmittedToken {
  deviceId: string;
  enrolledAt: Date;
  /** Hexadecimal. */
  tokenHash: string;
  /** Of the request. */
  address: string | null;
}

/**
 * Makes the token of a request the only one of its device, with the hardware id of today, and removes the request.
 *
 * @returns `null` if there is no such request in the organization
 */
export async function admitRequest(
  knex: Knex,
  organizationId: string,
  requestId: string,
): Promise<AdmittedToken | null> {
  const { rows } = await knex.raw<{ rows: AdmittedToken[] }>(
    `WITH request AS (
       DELETE FROM ota_server_enrolment_requests r USING edge_devices d
        WHERE r.request_id = :requestId AND d.id = r.device_id
          AND d.organization_id = :organizationId AND ${IS_REGISTERED}
       RETURNING r.device_id, r.token_hash, r.address, d.device_id AS hardware_id
     ), admitted AS (
       INSERT INTO ota_server_device_tokens AS t (device_id, token_hash, hardware_id)
       SELECT device_id, token_hash, hardware_id FROM request
       ON CONFLICT (device_id) DO UPDATE
          SET token_hash = excluded.token_hash, hardware_id = excluded.hardware_id,
              enrolled_at = now(), missing_since = NULL
       RETURNING t.device_id, t.enrolled_at
     )
     SELECT admitted.device_id AS "deviceId", admitted.enrolled_at AS "enrolledAt",
            encode(request.token_hash, 'hex') AS "tokenHash", request.address
       FROM admitted JOIN request USING (device_id)`,
    { requestId, organizationId },
  );
  return rows[0] ?? null;
}

/** A device, and a token of it. */
export interface AffectedToken {
  deviceId: string;
  /** Hexadecimal. */
  tokenHash: string;
}

/**
 * Hides a request.
 *
 * @returns `null` if there is no such request in the organization
 */
export async function dismissRequest(
  knex: Knex,
  organizationId: string,
  requestId: string,
): Promise<AffectedToken | null> {
  const { rows } = await knex.raw<{ rows: AffectedToken[] }>(
    `UPDATE ota_server_enrolment_requests r SET dismissed_at = now() FROM edge_devices d
      WHERE r.request_id = :requestId AND r.dismissed_at IS NULL
        AND d.id = r.device_id AND d.organization_id = :organizationId
     RETURNING r.device_id AS "deviceId", encode(r.token_hash, 'hex') AS "tokenHash"`,
    { requestId, organizationId },
  );
  return rows[0] ?? null;
}

/**
 * Revokes the token of a device. The row stays, without a token: it keeps the device from enrolling by itself.
 *
 * @returns `null` if the organization has no such device with a token
 */
export async function revokeToken(
  knex: Knex,
  organizationId: string,
  deviceId: string,
): Promise<AffectedToken | null> {
  const { rows } = await knex.raw<{ rows: AffectedToken[] }>(
    // RETURNING shows the new row, so the revoked hash is read first.
    `WITH bound AS (
       SELECT t.device_id, t.token_hash
         FROM ota_server_device_tokens t JOIN edge_devices d ON d.id = t.device_id
        WHERE t.device_id = :deviceId AND t.token_hash IS NOT NULL
          AND d.organization_id = :organizationId
          FOR UPDATE OF t
     )
     UPDATE ota_server_device_tokens t SET token_hash = NULL FROM bound
      WHERE t.device_id = bound.device_id
     RETURNING t.device_id AS "deviceId", encode(bound.token_hash, 'hex') AS "tokenHash"`,
    { deviceId, organizationId },
  );
  return rows[0] ?? null;
}

/** Until when the window of the organization is open; `null`: it is closed. */
export async function readWindow(knex: Knex, organizationId: string): Promise<Date | null> {
  const row = await knex('ota_server_enrolment_windows')
    .where('organization_id', organizationId)
    .where('open_until', '>', knex.fn.now())
    .first<{ open_until: Date } | undefined>('open_until');
  return row?.open_until ?? null;
}

/** Opens the window from now on, instead of an earlier one; returns until when it is open. */
export async function openWindow(
  knex: Knex,
  organizationId: string,
  hours: number,
): Promise<Date | null> {
  const rows = await knex('ota_server_enrolment_windows')
    .insert({
      organization_id: organizationId,
      open_until: knex.raw(`now() + ? * interval '1 hour'`, [hours]),
    })
    .onConflict('organization_id')
    .merge()
    .returning<{ open_until: Date }[]>('open_until');
  return rows[0]?.open_until ?? null;
}

export async function closeWindow(knex: Knex, organizationId: string): Promise<void> {
  await knex('ota_server_enrolment_windows').where('organization_id', organizationId).delete();
}
