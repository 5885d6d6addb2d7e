/**
 * No foreign keys to `edge_devices` or `organizations`: they belong to Ops-Center and may be views or foreign
 * tables. A periodic cleanup removes the rows of devices that no longer exist.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_server_device_tokens (
      device_id uuid PRIMARY KEY,
      -- SHA-256; NULL: an admin revoked the token, and only an admin can admit another one.
      token_hash bytea UNIQUE CHECK (octet_length(token_hash) = 32),
      -- edge_devices.device_id at enrolment
      hardware_id text NOT NULL,
      enrolled_at timestamptz NOT NULL DEFAULT now(),
      -- Since when the device is missing in edge_devices.
      missing_since timestamptz
    )`);
  await knex.raw(`
    CREATE TABLE ota_server_enrolment_requests (
      request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      device_id uuid NOT NULL,
      token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
      reason text NOT NULL CHECK (reason IN ('window_closed', 'other_token', 'hardware_changed')),
      address text,
      first_seen_at timestamptz NOT NULL DEFAULT now(),
      last_seen_at timestamptz NOT NULL DEFAULT now(),
      attempts bigint NOT NULL DEFAULT 1,
      dismissed_at timestamptz,
      UNIQUE (device_id, token_hash)
    )`);
  await knex.raw(`
    CREATE TABLE ota_server_enrolment_windows (
      organization_id uuid PRIMARY KEY,
      open_until timestamptz NOT NULL
    )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`DROP TABLE ota_server_enrolment_windows, ota_server_enrolment_requests,
                             ota_server_device_tokens`);
}
