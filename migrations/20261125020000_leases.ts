import type { Knex } from 'knex';

/** Leases for periodic work, and when each kind of work was last completed. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_leases (
      name text PRIMARY KEY,
      expires_at timestamptz NOT NULL,
      done_at timestamptz
    )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_leases');
}
