import type { Knex } from 'knex';

/**
 * What a retry or a rollback used to overwrite: how earlier attempts finished, and when an update finished
 * that was rolled back later. Servers of the previous release ignore both columns.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployment_devices
      -- [{attempt, status, error_message, started_at, completed_at}], oldest first; null: none
      ADD COLUMN earlier_attempts jsonb,
      -- end of an update that an admin had rolled back later; otherwise null, and completed_at is the end
      ADD COLUMN update_ended_at timestamptz`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployment_devices DROP COLUMN earlier_attempts, DROP COLUMN update_ended_at`);
}
