import type { Knex } from 'knex';

/**
 * Who created a deployment, as the host's authentication named them. `created_by` may be a foreign key to
 * the host's users, or of a type that the name does not fit: then it is empty, and this column still
 * tells. A server of the release before leaves it empty and writes the other.
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
