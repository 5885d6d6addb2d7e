import type { Knex } from 'knex';

/** From where an admin acted. Only added to: servers of the release before write their events beside it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_events ADD COLUMN actor_address text');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE ota_events DROP COLUMN actor_address');
}
