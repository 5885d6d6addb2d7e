import type { Knex } from 'knex';

/**
 * What devices report about themselves with their polls. Like targets, the rows have no foreign key to the host's
 * table: a row whose organization is not the device's counts as absent, and a sweep deletes those of removed devices.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_devices (
      device_id uuid PRIMARY KEY,
      organization_id uuid NOT NULL,
      -- none, files, files_and_boot or slots; null: the device has not reported it
      protection text,
      -- {package name: version}; null: the device has not reported them
      components jsonb,
      updated_at timestamptz NOT NULL DEFAULT now()
    )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_devices');
}
