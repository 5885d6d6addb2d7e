import type { Knex } from 'knex';

/** IP address of the admin. Nullable, because servers of the previous release do not write it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_events ADD COLUMN actor_address text');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_events DROP COLUMN actor_address');
}
