/**
 * Audits a rollout: the database records every change of a target's status, and the audit compares that
 * record with what devices reported and with the stored counters.
 */
import type { Knex } from 'knex';

import { TARGET_STATUSES, type TargetStatus } from '../../backend/contract/states.ts';
import { isFinished } from '../../backend/deployments/rules/target-reports.ts';
import type { VirtualDevice } from '../../dev/fleet/virtual-device.ts';

export interface RolloutAudit {
  targets: number;
  unfinished: number;
  /** Devices whose last acknowledged report is not the stored status. */
  lost: number;
  /** Targets that finished more than once. */
  finishedTwice: number;
  /** Batches whose counters differ from their targets. */
  drifted: number;
  /** Batches that were released before the previous one had finished. */
  releasedEarly: number;
  /** Batches with more than one release in the timeline. */
  releasedTwice: number;
}

/** Adds a trigger that records every change of a target's status in the same transaction. */
export async function recordStatusChanges(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE test_status_changes (
      deployment_id uuid NOT NULL, device_id uuid NOT NULL, position int NOT NULL,
      from_status text NOT NULL, to_status text NOT NULL, at timestamptz NOT NULL
    )`);
  await knex.raw(`
    CREATE FUNCTION test_record_status() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO test_status_changes
      VALUES (NEW.deployment_id, NEW.device_id, NEW.position, OLD.status, NEW.status,
              clock_timestamp());
      RETURN NULL;
    END $$`);
  await knex.raw(`
    CREATE TRIGGER test_record_status AFTER UPDATE OF status ON ota_deployment_devices
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION test_record_status()`);
}

export async function auditRollout(
  knex: Knex,
  deploymentId: string,
  devices: readonly VirtualDevice[],
): Promise<RolloutAudit> {
  const targets = await knex('ota_deployment_devices')
    .where({ deployment_id: deploymentId })
    .select<{ device_id: string; status: TargetStatus }[]>('device_id', 'status');
  const statuses = new Map(targets.map((target) => [target.device_id, target.status]));
  return {
    targets: targets.length,
    unfinished: targets.filter(({ status }) => !isFinished(status)).length,
    lost: devices.filter(
      ({ credentials, acknowledged }) => acknowledged?.status !== statuses.get(credentials.id),
    ).length,
    finishedTwice: await countRows(
      knex,
      `SELECT 1 FROM test_status_changes
       WHERE deployment_id = :id AND to_status IN ('completed', 'failed', 'rolled_back', 'skipped')
       GROUP BY device_id HAVING count(*) > 1`,
      deploymentId,
    ),
    drifted: await counterDrift(knex, deploymentId),
    // Release times are in milliseconds. A target that finished in the same one was in time.
    releasedEarly: await countRows(
      knex,
      `SELECT 1 FROM ota_deployment_batches b
       JOIN ota_deployment_batches previous
         ON previous.deployment_id = b.deployment_id AND previous.number = b.number - 1
       WHERE b.deployment_id = :id AND b.released_at < (
         SELECT date_trunc('milliseconds', max(c.at)) FROM test_status_changes c
         WHERE c.deployment_id = b.deployment_id AND c.position >= previous.first_position
           AND c.position < previous.first_position + previous.size)`,
      deploymentId,
    ),
    releasedTwice: await countRows(
      knex,
      `SELECT 1 FROM ota_events
       WHERE deployment_id = :id AND type = 'batch_released'
       GROUP BY data->>'batch' HAVING count(*) > 1`,
      deploymentId,
    ),
  };
}

/** How many batches have counters that differ from their targets. */
export async function counterDrift(knex: Knex, deploymentId: string): Promise<number> {
  return countRows(
    knex,
    `SELECT 1 FROM ota_deployment_batches b
       CROSS JOIN LATERAL (
         SELECT ${TARGET_STATUSES.map(
           (status) => `count(*) FILTER (WHERE t.status = '${status}') AS ${status}`,
         ).join(', ')}
         FROM ota_deployment_devices t
         WHERE t.deployment_id = b.deployment_id
           AND t.position >= b.first_position AND t.position < b.first_position + b.size
       ) counted
       WHERE b.deployment_id = :id
         AND (${TARGET_STATUSES.map((status) => `b.${status} <> counted.${status}`).join(' OR ')})`,
    deploymentId,
  );
}

async function countRows(knex: Knex, statement: string, id: string): Promise<number> {
  const { rows } = await knex.raw<{ rows: unknown[] }>(statement, { id });
  return rows.length;
}
