/**
 * Tables of the host: those that Ops-Center publishes for plugins, and those that only the stand-in host
 * needs. A real Ops-Center creates its tables with its own migrations. The stand-in host creates missing
 * tables and never changes existing ones.
 */
import type { Knex } from 'knex';

import { PUBLISHED_TABLES } from '../../backend/server/host/published-tables.ts';

export async function createHostTables(knex: Knex): Promise<void> {
  await knex.transaction(async (transaction) => {
    // IF NOT EXISTS is not safe when several processes start at the same time.
    await transaction.raw(`SELECT pg_advisory_xact_lock(hashtext('ops-center-host-tables'))`);
    await transaction.raw(PUBLISHED_TABLES);
    await transaction.raw(STAND_IN_TABLES);
  });
}

const STAND_IN_TABLES = `
  CREATE INDEX IF NOT EXISTS edge_devices_organization ON edge_devices (organization_id, id);
  CREATE INDEX IF NOT EXISTS edge_devices_name ON edge_devices (organization_id, device_name, id);
  CREATE INDEX IF NOT EXISTS edge_devices_online ON edge_devices (last_seen)
    WHERE status = 'online';

  -- In Ops-Center, Keycloak stores this.
  CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY REFERENCES keycloak_users (id),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    name text NOT NULL,
    is_admin boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
  );

  -- Bearer tokens of the API. Only hashes are stored, also in the tables below.
  CREATE TABLE IF NOT EXISTS user_tokens (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE
  );

  -- Browser sessions, and one-time login links.
  CREATE TABLE IF NOT EXISTS user_sessions (
    session_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
  );
  CREATE TABLE IF NOT EXISTS login_links (
    code_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
  );

  CREATE TABLE IF NOT EXISTS edge_device_tokens (
    token_hash bytea PRIMARY KEY,
    device_id uuid NOT NULL REFERENCES edge_devices (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX IF NOT EXISTS edge_device_tokens_device ON edge_device_tokens (device_id);

  CREATE TABLE IF NOT EXISTS edge_registration_tokens (
    token_hash bytea PRIMARY KEY,
    device_id uuid NOT NULL REFERENCES edge_devices (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
  );
  CREATE INDEX IF NOT EXISTS edge_registration_tokens_device
    ON edge_registration_tokens (device_id);

  CREATE TABLE IF NOT EXISTS edge_device_reports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id uuid NOT NULL REFERENCES edge_devices (id) ON DELETE CASCADE,
    kind varchar(20) NOT NULL,
    data jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX IF NOT EXISTS edge_device_reports_device
    ON edge_device_reports (device_id, received_at);
  CREATE INDEX IF NOT EXISTS edge_device_reports_age ON edge_device_reports (received_at);
`;
