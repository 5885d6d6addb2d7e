/**
 * What really happened to the targets, written down by the database itself, and what must hold of it
 * in the end whatever was broken on the way.
 */
import type { Knex } from 'knex';

import { TARGET_STATUSES, type TargetStatus } from '../../backend/contract/states.ts';
import { isFinished } from '../../backend/deployments/rules/target-reports.ts';
import type { VirtualDevice } from '../../dev/fleet/virtual-device.ts';

export interface Verdict {
  targets: number;
  /** Targets that are not at an end. */
  unfinished: number;
  /** Devices whose last acknowledged report is not what the server holds. */
  lost: number;
  /** Targets that came to an end more than once. */
  doubled: number;
  /** Counters that differ from the rows they count. */
  drift: number;
  /** Batches that were released before the one ahead of them had ended. */
  early: number;
  /** Batches that were released more than once, by the timeline. */
  releasedTwice: number;
}

/** Notes each change of a target's status, in the transaction that makes it. */
export async function keepLedger(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE test_ledger (
      deployment_id uuid NOT NULL, device_id uuid NOT NULL, position int NOT NULL,
      from_status text NOT NULL, to_status text NOT NULL, at timestamptz NOT NULL
    )`);
  await knex.raw(`
    CREATE FUNCTION test_note_status() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO test_ledger VALUES (NEW.deployment_id, NEW.device_id, NEW.position, OLD.status,
                                      NEW.status, clock_timestamp());
      RETURN NULL;
    END $$`);
  await knex.raw(`
    CREATE TRIGGER test_note_status AFTER UPDATE OF status ON ota_deployment_devices
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION test_note_status()`);
}

export async function judge(
  knex: Knex,
  deploymentId: string,
  devices: readonly VirtualDevice[],
): Promise<Verdict> {
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
    doubled: await count(
      knex,
      `SELECT 1 FROM test_ledger
       WHERE deployment_id = :id AND to_status IN ('completed', 'failed', 'rolled_back', 'skipped')
       GROUP BY device_id HAVING count(*) > 1`,
      deploymentId,
    ),
    drift: await counterDrift(knex, deploymentId),
    // Release times are in milliseconds; what ended within the same one was in time.
    early: await count(
      knex,
      `SELECT 1 FROM ota_deployment_batches b
       JOIN ota_deployment_batches ahead
         ON ahead.deployment_id = b.deployment_id AND ahead.number = b.number - 1
       WHERE b.deployment_id = :id AND b.released_at < (
         SELECT date_trunc('milliseconds', max(l.at)) FROM test_ledger l
         WHERE l.deployment_id = b.deployment_id
           AND l.position >= ahead.first_position AND l.position < ahead.first_position + ahead.size)`,
      deploymentId,
    ),
    releasedTwice: await count(
      knex,
      `SELECT 1 FROM ota_events
       WHERE deployment_id = :id AND type = 'batch_released'
       GROUP BY data->>'batch' HAVING count(*) > 1`,
      deploymentId,
    ),
  };
}

/** Batches whose counters differ from the rows they count. */
export async function counterDrift(knex: Knex, deploymentId: string): Promise<number> {
  return count(
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

async function count(knex: Knex, statement: string, id: string): Promise<number> {
  const { rows } = await knex.raw<{ rows: unknown[] }>(statement, { id });
  return rows.length;
}
