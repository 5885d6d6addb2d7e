import type { Knex } from 'knex';

/**
 * Index for the search in error messages. Few targets have one, so building it blocks writes of servers of
 * the previous release for one table scan at most.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX ota_targets_error_idx
    ON ota_deployment_devices (deployment_id, position) WHERE error_message IS NOT NULL`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX IF EXISTS ota_targets_error_idx');
}
