import type { Knex } from 'knex';

/**
 * Targets that tell of an error, for the search among them. They are few of many, so building it
 * keeps an earlier release, which goes on writing, waiting for one pass over the table at most.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX ota_targets_error_idx
    ON ota_deployment_devices (deployment_id, position) WHERE error_message IS NOT NULL`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX IF EXISTS ota_targets_error_idx');
}
