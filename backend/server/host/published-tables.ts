/** The tables that Ops-Center publishes for plugins, for a database that has none: development, and trials. */

/** Exactly the columns, types and constraints of Ops-Center. */
export const PUBLISHED_TABLES = `
  CREATE TABLE IF NOT EXISTS organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL
  );

  CREATE TABLE IF NOT EXISTS keycloak_users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email varchar(255)
  );

  CREATE TABLE IF NOT EXISTS edge_devices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    device_name varchar(255) NOT NULL,
    device_type varchar(50) NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations,
    registration_token varchar(255) UNIQUE,
    -- hardware id; pending-<uuid> until the device registers
    device_id varchar(255) NOT NULL UNIQUE,
    ip_address inet,
    last_seen timestamptz,
    -- online, offline, maintenance, error or as reported by a heartbeat; pending until the device registers
    status varchar(20) NOT NULL DEFAULT 'offline',
    firmware_version varchar(50),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb,
    UNIQUE (organization_id, device_name)
  );
`;
