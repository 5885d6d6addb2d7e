import type { Knex } from 'knex';

/**
 * What had failed by this time is being taken up again: a retry of many is done in pieces, which a process
 * may die between. A server of the release before ignores it, and one of this release goes on.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments ADD COLUMN retry_failed_before timestamptz');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments DROP COLUMN retry_failed_before');
}
