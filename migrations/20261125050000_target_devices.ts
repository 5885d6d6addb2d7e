import type { Knex } from 'knex';

/**
 * Name and type of the device when it became a target. They are shown if the device is later removed or
 * moved to another organization, whose name for it the previous organization must not see.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(
    'ALTER TABLE ota_deployment_devices ADD COLUMN device_name text, ADD COLUMN device_type text',
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    'ALTER TABLE ota_deployment_devices DROP COLUMN device_name, DROP COLUMN device_type',
  );
}
