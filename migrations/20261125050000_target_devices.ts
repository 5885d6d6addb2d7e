import type { Knex } from 'knex';

/**
 * What a target's device was called when it became a target. A device that its organization removes, or
 * moves to another one, is shown by that: what it is called there is not for the old one to see.
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
