import type { Knex } from 'knex';

/**
 * Creates the deployment tables, or adopts existing ones of an earlier release with their rows. A comment
 * marks the tables that this migration created, so that `down` drops only those.
 */
const CREATED = 'created by ops-center-ota';

const BASE_TABLES = {
  ota_deployments: `
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    deployment_name text NOT NULL,
    organization_id uuid NOT NULL,
    target_version text NOT NULL,
    rollout_strategy text NOT NULL,
    rollout_percentage integer,
    status text NOT NULL DEFAULT 'pending',
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text,
    metadata jsonb NOT NULL DEFAULT '{}'`,
  ota_deployment_devices: `
    deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
    device_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    started_at timestamptz,
    completed_at timestamptz,
    error_message text,
    PRIMARY KEY (deployment_id, device_id)`,
};

export async function up(knex: Knex): Promise<void> {
  for (const [table, columns] of Object.entries(BASE_TABLES)) {
    if (await knex.schema.hasTable(table)) continue;
    await knex.raw(`CREATE TABLE ${table} (${columns})`);
    await knex.raw(`COMMENT ON TABLE ${table} IS '${CREATED}'`);
  }
  await addColumns(knex);
  await createBatches(knex);
  await adoptRows(knex);
  await knex.raw('ALTER TABLE ota_deployment_devices ALTER COLUMN position SET NOT NULL');
  await createIndexes(knex);
}

async function addColumns(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE ota_deployments
      ADD COLUMN batch_size integer,
      ADD COLUMN policy jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN scheduled_at timestamptz,
      ADD COLUMN paused_reason text,
      ADD COLUMN resumed_at timestamptz,
      ADD COLUMN total_devices integer NOT NULL DEFAULT 0,
      ADD COLUMN released_devices integer NOT NULL DEFAULT 0,
      ADD COLUMN accepted_failures integer NOT NULL DEFAULT 0,
      ADD COLUMN manifest text,
      ADD COLUMN signature text`);
  await knex.raw(`
    ALTER TABLE ota_deployment_devices
      ADD COLUMN position integer,
      ADD COLUMN attempt integer NOT NULL DEFAULT 1,
      ADD COLUMN progress smallint,
      ADD COLUMN previous_version text,
      ADD COLUMN last_report_at timestamptz,
      ADD COLUMN timed_out boolean NOT NULL DEFAULT false,
      ADD COLUMN skip_reason text,
      ADD COLUMN rollback_version text,
      ADD COLUMN rollback_requested_by text,
      ADD COLUMN rolled_back_on_request boolean NOT NULL DEFAULT false`);
}

/**
 * A batch is a range of positions. Its counters are updated with every transition, so that progress never
 * requires counting targets.
 */
async function createBatches(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE ota_deployment_batches (
      deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
      number integer NOT NULL,
      first_position integer NOT NULL,
      size integer NOT NULL,
      release_requested_at timestamptz,
      released_at timestamptz,
      pending integer NOT NULL DEFAULT 0,
      downloading integer NOT NULL DEFAULT 0,
      installing integer NOT NULL DEFAULT 0,
      verifying integer NOT NULL DEFAULT 0,
      completed integer NOT NULL DEFAULT 0,
      failed integer NOT NULL DEFAULT 0,
      skipped integer NOT NULL DEFAULT 0,
      rolled_back integer NOT NULL DEFAULT 0,
      rolled_back_on_request integer NOT NULL DEFAULT 0,
      PRIMARY KEY (deployment_id, number)
    ) WITH (fillfactor = 50)`);
}

/**
 * Each earlier deployment becomes one batch. Those in progress can continue or be cancelled. Their timeouts
 * start now: counted from their actual start, they would expire at once.
 */
async function adoptRows(knex: Knex): Promise<void> {
  await knex.raw(`
    UPDATE ota_deployment_devices t SET
      position = ranked.position,
      skip_reason = CASE WHEN t.status = 'skipped' THEN 'cancelled' END,
      last_report_at = CASE WHEN t.status IN ('downloading', 'installing', 'verifying') THEN now() END
    FROM (
      SELECT deployment_id, device_id,
             row_number() OVER (PARTITION BY deployment_id ORDER BY device_id) - 1 AS position
      FROM ota_deployment_devices
    ) ranked
    WHERE ranked.deployment_id = t.deployment_id AND ranked.device_id = t.device_id`);
  await knex.raw(`
    INSERT INTO ota_deployment_batches (deployment_id, number, first_position, size,
      release_requested_at, released_at, pending, downloading, installing, verifying, completed,
      failed, skipped, rolled_back)
    SELECT d.id, 1, 0, count(*),
      CASE WHEN d.status <> 'pending' THEN coalesce(d.started_at, d.created_at, now()) END,
      CASE WHEN d.status <> 'pending' THEN coalesce(d.started_at, d.created_at, now()) END,
      count(*) FILTER (WHERE t.status = 'pending'),
      count(*) FILTER (WHERE t.status = 'downloading'),
      count(*) FILTER (WHERE t.status = 'installing'),
      count(*) FILTER (WHERE t.status = 'verifying'),
      count(*) FILTER (WHERE t.status = 'completed'),
      count(*) FILTER (WHERE t.status = 'failed'),
      count(*) FILTER (WHERE t.status = 'skipped'),
      count(*) FILTER (WHERE t.status = 'rolled_back')
    FROM ota_deployments d JOIN ota_deployment_devices t ON t.deployment_id = d.id
    GROUP BY d.id`);
  await knex.raw(`
    UPDATE ota_deployments d SET
      total_devices = b.size,
      released_devices = CASE WHEN b.released_at IS NULL THEN 0 ELSE b.size END,
      accepted_failures = b.failed + b.rolled_back,
      paused_reason = CASE WHEN d.status = 'paused' THEN 'admin' END,
      resumed_at = CASE WHEN d.status = 'in_progress' THEN now() END
    FROM ota_deployment_batches b WHERE b.deployment_id = d.id`);
}

async function createIndexes(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX ota_deployments_list_idx ON ota_deployments (organization_id, created_at DESC, id DESC)`);
  await knex.raw(`
    CREATE INDEX ota_deployments_active_idx ON ota_deployments (id)
    WHERE status IN ('pending', 'in_progress', 'paused', 'cancelled')`);
  await knex.raw(`
    CREATE UNIQUE INDEX ota_targets_position_idx ON ota_deployment_devices (deployment_id, position)`);
  await knex.raw(`
    CREATE INDEX ota_targets_status_idx ON ota_deployment_devices (deployment_id, status, position)`);
  await knex.raw(`
    CREATE INDEX ota_targets_open_idx ON ota_deployment_devices (device_id)
    WHERE status IN ('pending', 'downloading', 'installing', 'verifying')
       OR rollback_version IS NOT NULL`);
  await knex.raw(`
    CREATE INDEX ota_targets_working_idx ON ota_deployment_devices (last_report_at)
    WHERE status IN ('downloading', 'installing', 'verifying')`);
}

export async function down(knex: Knex): Promise<void> {
  await pauseUnreleased(knex);
  await knex.raw('DROP TABLE ota_deployment_batches');
  for (const index of ['list', 'active']) await knex.raw(`DROP INDEX ota_deployments_${index}_idx`);
  for (const index of ['position', 'status', 'open', 'working']) {
    await knex.raw(`DROP INDEX ota_targets_${index}_idx`);
  }
  await knex.raw(`
    ALTER TABLE ota_deployment_devices
      DROP COLUMN position, DROP COLUMN attempt, DROP COLUMN progress, DROP COLUMN previous_version,
      DROP COLUMN last_report_at, DROP COLUMN timed_out, DROP COLUMN skip_reason,
      DROP COLUMN rollback_version, DROP COLUMN rollback_requested_by,
      DROP COLUMN rolled_back_on_request`);
  await knex.raw(`
    ALTER TABLE ota_deployments
      DROP COLUMN batch_size, DROP COLUMN policy, DROP COLUMN scheduled_at, DROP COLUMN paused_reason,
      DROP COLUMN resumed_at, DROP COLUMN total_devices, DROP COLUMN released_devices,
      DROP COLUMN accepted_failures, DROP COLUMN manifest, DROP COLUMN signature`);
  for (const table of ['ota_deployment_devices', 'ota_deployments']) {
    if (await wasCreatedHere(knex, table)) await knex.raw(`DROP TABLE ${table}`);
  }
}

/**
 * An earlier release has no batches: it offers the update to every pending target of a deployment in
 * progress. Pausing prevents that for targets whose batch has not been released.
 */
async function pauseUnreleased(knex: Knex): Promise<void> {
  await knex.raw(`
    UPDATE ota_deployments SET status = 'paused'
    WHERE status = 'in_progress' AND released_devices < total_devices`);
}

async function wasCreatedHere(knex: Knex, table: string): Promise<boolean> {
  const { rows } = await knex.raw<{ rows: { comment: string | null }[] }>(
    `SELECT obj_description(to_regclass(?), 'pg_class') AS comment`,
    [table],
  );
  return rows[0]?.comment === CREATED;
}
