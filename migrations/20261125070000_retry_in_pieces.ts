import type { Knex } from 'knex';

/**
 * Set while targets that failed before this time are being retried. A large retry runs in several
 * transactions; if the process dies between them, another one resumes it. Servers of the previous release
 * ignore the column.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments ADD COLUMN retry_failed_before timestamptz');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments DROP COLUMN retry_failed_before');
}
