import type { Knex } from 'knex';

/** The timeline of each deployment, and the installation logs of its devices. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      organization_id uuid NOT NULL,
      deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
      at timestamptz NOT NULL DEFAULT now(),
      type text NOT NULL,
      actor_type text NOT NULL,
      actor_id text,
      actor_name text,
      device_id uuid,
      data jsonb NOT NULL DEFAULT '{}'
    )`);
  await knex.raw('CREATE INDEX ota_events_timeline_idx ON ota_events (deployment_id, id DESC)');
  await knex.raw(`
    CREATE TABLE ota_install_logs (
      deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
      device_id uuid NOT NULL,
      attempt integer NOT NULL,
      start_offset integer NOT NULL,
      bytes integer NOT NULL,
      chunk text NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (deployment_id, device_id, attempt, start_offset)
    )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_install_logs');
  await knex.raw('DROP TABLE ota_events');
}
