import type { Knex } from 'knex';

/**
 * The package's name from the manifest of each deployment. Deployments of different packages do not supersede each
 * other. A deployment that a server of the previous release creates has no name, and is treated as before.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments ADD COLUMN package_name text');
  await knex.raw(`
    UPDATE ota_deployments SET package_name = CAST(manifest AS jsonb)->>'name' WHERE manifest IS NOT NULL`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_deployments DROP COLUMN package_name');
}
