import { injectable } from 'inversify';
import type { BatchPlanEntry } from '../../contract/admin-api.ts';
import { TARGET_STATUSES } from '../../contract/states.ts';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type { BatchRepository, CounterMove } from '../model/deployment.ports.ts';
import type { Batch } from '../model/deployment.types.ts';
import { BATCH_COLUMNS, toBatch, type BatchRow } from './deployment.row.ts';
import { updateFinishedOverTime } from './finished-over-time.sql.ts';

@injectable()
export class KnexBatchRepository implements BatchRepository {
  async insertPlan(
    tx: Transaction,
    id: string,
    total: number,
    plan: BatchPlanEntry[],
  ): Promise<void> {
    await asKnex(tx)('ota_deployments').where({ id }).update({ total_devices: total });
    let firstPosition = 0;
    const rows = plan.map(({ number, size }) => {
      const row = {
        deployment_id: id,
        number,
        first_position: firstPosition,
        size,
        pending: size,
      };
      firstPosition += size;
      return row;
    });
    await asKnex(tx).batchInsert('ota_deployment_batches', rows, 1_000);
  }

  async list(tx: Transaction, id: string): Promise<Batch[]> {
    const rows = await runPrepared<BatchRow>(
      asKnex(tx),
      'ota_batches',
      `SELECT ${BATCH_COLUMNS.join(', ')} FROM ota_deployment_batches
       WHERE deployment_id = $1 ORDER BY number`,
      [id],
    );
    return rows.map(toBatch);
  }

  async requestRelease(tx: Transaction, id: string, batch: number, at: Date): Promise<void> {
    await asKnex(tx)('ota_deployment_batches')
      .where({ deployment_id: id, number: batch })
      .whereNull('release_requested_at')
      .update({ release_requested_at: at });
  }

  async release(tx: Transaction, id: string, batch: Batch): Promise<void> {
    // Not the start of the transaction, which may have waited for the reports that finished the previous batch.
    const now = asKnex(tx).raw('clock_timestamp()');
    await asKnex(tx)('ota_deployment_batches')
      .where({ deployment_id: id, number: batch.number })
      .update({
        released_at: now,
        release_requested_at: asKnex(tx).raw('coalesce(release_requested_at, clock_timestamp())'),
      });
    await asKnex(tx)('ota_deployments')
      .where({ id })
      .update({ released_devices: batch.firstPosition + batch.size });
  }

  async split(tx: Transaction, id: string, batch: Batch, size: number): Promise<void> {
    const knex = asKnex(tx);
    // Before the release nearly all targets are pending. The index finds the others, and the rest is pending.
    const others = TARGET_STATUSES.filter((status) => status !== 'pending');
    await knex.raw(
      `INSERT INTO ota_deployment_batches (deployment_id, number, first_position, size, pending, ${others.join(', ')})
       SELECT :id, :number, :first, :size, :size - count(*), ${others
         .map((status) => `count(*) FILTER (WHERE status = '${status}')`)
         .join(', ')}
       FROM ota_deployment_devices
       WHERE deployment_id = :id AND position >= :first
         AND status IN (${others.map((status) => `'${status}'`).join(', ')})`,
      {
        id,
        number: batch.number + 1,
        first: batch.firstPosition + size,
        size: batch.size - size,
      },
    );
    await knex.raw(
      `UPDATE ota_deployment_batches head SET size = :size, ${TARGET_STATUSES.map(
        (status) => `${status} = head.${status} - rest.${status}`,
      ).join(', ')}
       FROM ota_deployment_batches rest
       WHERE head.deployment_id = :id AND head.number = :number
         AND rest.deployment_id = :id AND rest.number = :number + 1`,
      { id, number: batch.number, size },
    );
  }

  async moveCounters(tx: Transaction, moves: CounterMove[]): Promise<void> {
    if (moves.length === 0) return;
    const delta = (status: string) =>
      `(count(*) FILTER (WHERE m.new_status = '${status}') - count(*) FILTER (WHERE m.old_status = '${status}'))`;
    await runPrepared(
      asKnex(tx),
      'ota_move_counters',
      `WITH m AS (
         SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::int[],
             $6::timestamptz[], $7::timestamptz[], $8::double precision[])
           AS m (deployment_id, position, old_status, new_status, on_request, finished_before, finished_at, seconds)
       ), over_time AS (${updateFinishedOverTime(
         `SELECT m.deployment_id, change.status, change.at, change.by
          FROM m CROSS JOIN LATERAL (VALUES
            (m.old_status, m.finished_before, -1), (m.new_status, m.finished_at, 1)) AS change (status, at, by)`,
       )})
       UPDATE ota_deployment_batches b SET
         ${TARGET_STATUSES.map((status) => `${status} = b.${status} + d.${status}`).join(', ')},
         rolled_back_on_request = b.rolled_back_on_request + d.on_request,
         timed_updates = b.timed_updates + d.timed_updates,
         update_seconds = b.update_seconds + d.update_seconds
       FROM (
         SELECT m.deployment_id, batch.number, sum(m.on_request) AS on_request,
           count(m.seconds) AS timed_updates, coalesce(sum(m.seconds), 0) AS update_seconds,
           ${TARGET_STATUSES.map((status) => `${delta(status)} AS ${status}`).join(', ')}
         FROM m
         CROSS JOIN LATERAL (
           SELECT number FROM ota_deployment_batches
           WHERE deployment_id = m.deployment_id AND first_position <= m.position
           ORDER BY number DESC LIMIT 1
         ) batch
         GROUP BY m.deployment_id, batch.number
       ) d
       WHERE b.deployment_id = d.deployment_id AND b.number = d.number`,
      [
        moves.map((move) => move.deploymentId),
        moves.map((move) => move.position),
        moves.map((move) => move.from),
        moves.map((move) => move.to),
        moves.map((move) => move.onRequest),
        moves.map((move) => move.finishedBefore),
        moves.map((move) => move.finishedAt),
        moves.map((move) => move.seconds),
      ],
    );
  }
}
