import type { Knex } from 'knex';

/**
 * The id of the admin who created a deployment, as reported by the host. `created_by` may be a foreign key
 * to the host's users or have a type that cannot store the id; then only this column is set. Servers of the
 * previous release only write `created_by`.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments ADD COLUMN author text');
  await knex.raw(
    'UPDATE ota_deployments SET author = created_by::text WHERE created_by IS NOT NULL',
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments DROP COLUMN author');
}
