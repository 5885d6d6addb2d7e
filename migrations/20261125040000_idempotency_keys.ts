import type { Knex } from 'knex';

/** Responses to creations with an `Idempotency-Key`, kept for a day (docs/contract.md, Admin API). */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_idempotency_keys (
      organization_id uuid NOT NULL,
      key text NOT NULL,
      request_hash text NOT NULL,
      answer jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (organization_id, key)
    )`);
  await knex.raw('CREATE INDEX ota_idempotency_keys_age_idx ON ota_idempotency_keys (created_at)');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_idempotency_keys');
}
