import type { Knex } from 'knex';

/** Whose turn it is to do what comes again by itself, and when it was last done to the end. */
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
