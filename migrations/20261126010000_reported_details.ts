import type { Knex } from 'knex';

/**
 * What a device does besides its status, and what made its update fail. Servers of the previous release ignore
 * both columns.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployment_devices
      ADD COLUMN activity text,
      ADD COLUMN failure_cause text`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployment_devices DROP COLUMN activity, DROP COLUMN failure_cause`);
}
