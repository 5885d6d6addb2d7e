import type { Knex } from 'knex';

/**
 * When each device last polled. A table of its own, because its rows change every few minutes: no index has a column
 * that changes and pages have free space, so that PostgreSQL updates rows in place (HOT). Unlogged: after a crash of
 * PostgreSQL it is empty until the devices poll again. Servers of the previous release ignore it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE UNLOGGED TABLE ota_device_polls (
      device_id uuid PRIMARY KEY,
      -- the organization that the device belonged to when it polled
      organization_id uuid NOT NULL,
      polled_at timestamptz NOT NULL
    ) WITH (fillfactor = 50)`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_device_polls');
}
