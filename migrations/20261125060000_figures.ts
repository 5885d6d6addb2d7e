import type { Knex } from 'knex';

/**
 * Precomputed figures, so that reading them does not depend on the size of the fleet or its history: update
 * durations are summed per batch, finished targets are counted per deployment and time span, and versions
 * are counted periodically.
 */
export async function up(knex: Knex): Promise<void> {
  await addDurations(knex);
  await createEnds(knex);
  await knex.raw(`
    CREATE TABLE ota_censuses (
      organization_id uuid NOT NULL,
      -- null: the whole organization
      deployment_id uuid REFERENCES ota_deployments (id) ON DELETE CASCADE,
      -- start of the current count, or of the last one
      started_at timestamptz NOT NULL,
      -- end of the last completed count; null: none yet
      counted_at timestamptz,
      counts jsonb
    )`);
  await knex.raw(`
    CREATE UNIQUE INDEX ota_censuses_scope_idx
      ON ota_censuses (organization_id, coalesce(deployment_id, organization_id))`);
}

/** Number of completed updates per batch, and their total duration. */
async function addDurations(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployment_batches
      ADD COLUMN timed_updates integer NOT NULL DEFAULT 0,
      ADD COLUMN update_seconds double precision NOT NULL DEFAULT 0`);
  await knex.raw(`
    UPDATE ota_deployment_batches b
    SET timed_updates = taken.updates, update_seconds = taken.seconds
    FROM (
      SELECT t.deployment_id, batch.number, count(*) AS updates,
             sum(extract(epoch FROM t.completed_at - t.started_at)) AS seconds
      FROM ota_deployment_devices t
      JOIN ota_deployment_batches batch ON batch.deployment_id = t.deployment_id
        AND t.position >= batch.first_position AND t.position < batch.first_position + batch.size
      WHERE t.status = 'completed' AND t.completed_at >= t.started_at
      GROUP BY 1, 2
    ) taken
    WHERE b.deployment_id = taken.deployment_id AND b.number = taken.number`);
}

/**
 * Number of finished targets per time span. Spans grow with the age of the deployment, 32 per doubling: the
 * first minute has a resolution of seconds, and a month takes about 600 rows.
 */
async function createEnds(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE FUNCTION ota_end_span(began timestamptz, ended timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT began + make_interval(secs => floor(age.s / span.s) * span.s)
      FROM (SELECT greatest(extract(epoch FROM date_trunc('milliseconds', ended)
                                              - date_trunc('milliseconds', began)), 0)::double precision)
             AS age (s),
        LATERAL (SELECT greatest(2 ^ floor(log(2, greatest(age.s, 1)::numeric)) / 32, 1)::double precision)
             AS span (s)
    $$`);
  await knex.raw(`
    CREATE TABLE ota_deployment_ends (
      deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
      at timestamptz NOT NULL,
      completed integer NOT NULL DEFAULT 0,
      failed integer NOT NULL DEFAULT 0,
      rolled_back integer NOT NULL DEFAULT 0,
      PRIMARY KEY (deployment_id, at)
    ) WITH (fillfactor = 50)`);
  await knex.raw(`
    INSERT INTO ota_deployment_ends (deployment_id, at, completed, failed, rolled_back)
    SELECT d.id, ota_end_span(coalesce(d.started_at, d.created_at), t.completed_at),
           count(*) FILTER (WHERE t.status = 'completed'),
           count(*) FILTER (WHERE t.status = 'failed'),
           count(*) FILTER (WHERE t.status = 'rolled_back')
    FROM ota_deployments d JOIN ota_deployment_devices t ON t.deployment_id = d.id
    WHERE t.status IN ('completed', 'failed', 'rolled_back') AND t.completed_at IS NOT NULL
    GROUP BY 1, 2`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE ota_censuses');
  await knex.raw('DROP TABLE ota_deployment_ends');
  await knex.raw('DROP FUNCTION ota_end_span(timestamptz, timestamptz)');
  await knex.raw(
    'ALTER TABLE ota_deployment_batches DROP COLUMN timed_updates, DROP COLUMN update_seconds',
  );
}
