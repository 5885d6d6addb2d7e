import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { BatchPlanEntry } from '../../contract/admin-api.ts';
import { TARGET_STATUSES } from '../../contract/states.ts';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { likePattern } from '../../database/like-pattern.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import { createdByFor } from '../../database/created-by-column.ts';
import type {
  CounterMove,
  DeploymentChange,
  DeploymentListPage,
  DeploymentListQuery,
  DeploymentRepository,
  UnsettledDeployment,
} from '../model/deployment.ports.ts';
import {
  BATCH_COLUMNS,
  DEPLOYMENT_COLUMNS,
  toBatch,
  toDeployment,
  toState,
  type BatchRow,
  type DeploymentRow,
  type StateRow,
} from './deployment.row.ts';
import { updateFinishedOverTime } from './finished-over-time.sql.ts';
import type {
  Batch,
  Deployment,
  DeploymentDraft,
  DeploymentState,
} from '../model/deployment.types.ts';
import { Database } from '../../database/database.ts';

@injectable()
export class KnexDeploymentRepository implements DeploymentRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async insert(
    tx: Transaction,
    id: string,
    organizationId: string,
    draft: DeploymentDraft,
    createdBy: string,
  ): Promise<void> {
    await asKnex(tx)('ota_deployments').insert({
      id,
      organization_id: organizationId,
      deployment_name: draft.name,
      target_version: draft.targetVersion,
      rollout_strategy: draft.strategy,
      rollout_percentage: draft.rolloutPercentage ?? 100,
      batch_size: draft.batchSize,
      status: 'pending',
      policy: JSON.stringify(draft.policy),
      scheduled_at: draft.scheduledAt,
      manifest: draft.manifest,
      signature: draft.signature,
      created_at: asKnex(tx).fn.now(),
      created_by: await createdByFor(asKnex(tx), createdBy),
      author: createdBy,
      metadata: JSON.stringify({
        device_filters: draft.deviceFilters,
        skip_up_to_date: draft.skipUpToDate,
        update_package_url: draft.updatePackageUrl,
        checksum: draft.checksum,
        release_notes: draft.releaseNotes,
      }),
    });
  }

  async stampCreated(tx: Transaction, id: string): Promise<void> {
    const knex = asKnex(tx);
    await knex.raw(
      `SELECT pg_advisory_xact_lock(hashtextextended('ota_created ' || organization_id::text, 0))
       FROM ota_deployments WHERE id = ?`,
      [id],
    );
    // A separate statement, so that it sees what was committed while the first one waited. Rounded to milliseconds, which
    // is the precision of times outside of the database.
    await knex.raw(
      `UPDATE ota_deployments d SET created_at = greatest(
         date_trunc('milliseconds', clock_timestamp()),
         (SELECT date_trunc('milliseconds', max(other.created_at)) + interval '1 millisecond'
          FROM ota_deployments other
          WHERE other.organization_id = d.organization_id AND other.id <> d.id))
       WHERE d.id = ?`,
      [id],
    );
  }

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

  async find(organizationId: string, id: string): Promise<Deployment | null> {
    const row = await this.knex<DeploymentRow>('ota_deployments')
      .where({ id, organization_id: organizationId })
      .first();
    return row ? toDeployment(row) : null;
  }

  async findState(
    organizationId: string,
    id: string,
    tx?: Transaction,
  ): Promise<DeploymentState | null> {
    const knex = tx ? asKnex(tx) : this.knex;
    const row = await this.#states(knex).where({ id, organization_id: organizationId }).first();
    return row ? toState(row) : null;
  }

  async findStateUnscoped(id: string): Promise<DeploymentState | null> {
    const row = await this.#states().where({ id }).first();
    return row ? toState(row) : null;
  }

  /** Reads deployments with their batches in one statement; between two, a report could change both. */
  #states(knex = this.knex): Knex.QueryBuilder<DeploymentRow, StateRow[]> {
    return knex<DeploymentRow>('ota_deployments as d').select<StateRow[]>(
      'd.*',
      knex.raw(`(SELECT coalesce(jsonb_agg(b ORDER BY b.number), '[]')
        FROM ota_deployment_batches b WHERE b.deployment_id = d.id) AS batches`),
    );
  }

  async list(organizationId: string, query: DeploymentListQuery): Promise<DeploymentListPage> {
    const matching = this.#states().where({ organization_id: organizationId });
    if (query.status) void matching.andWhere({ status: query.status });
    if (query.search) {
      const pattern = likePattern(query.search);
      void matching.andWhere((either) => {
        void either.whereILike('deployment_name', pattern).orWhereILike('target_version', pattern);
      });
    }
    const [counted, rows] = await Promise.all([
      matching.clone().clearSelect().count<{ count: string }[]>('* as count').first(),
      matching
        .clone()
        .orderBy([
          { column: 'created_at', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
        .limit(query.pageSize)
        .offset((query.page - 1) * query.pageSize),
    ]);
    return { deployments: rows.map(toState), totalCount: Number(counted?.count ?? 0) };
  }

  async lock(tx: Transaction, ids: string[]): Promise<Deployment[]> {
    const rows = await runPrepared<DeploymentRow>(
      asKnex(tx),
      'ota_lock_deployments',
      `SELECT ${DEPLOYMENT_COLUMNS.join(', ')} FROM ota_deployments
       WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`,
      [ids],
    );
    return rows.map(toDeployment);
  }

  async update(tx: Transaction, id: string, change: DeploymentChange): Promise<void> {
    const columns = {
      ...(change.status !== undefined && { status: change.status }),
      ...(change.pausedReason !== undefined && { paused_reason: change.pausedReason }),
      ...(change.acceptedFailures !== undefined && { accepted_failures: change.acceptedFailures }),
      ...(change.startedAt !== undefined && { started_at: change.startedAt }),
      ...(change.resumedAt !== undefined && { resumed_at: change.resumedAt }),
      ...(change.retryFailedBefore !== undefined && {
        retry_failed_before: change.retryFailedBefore,
      }),
      ...(change.completedAt !== undefined && { completed_at: change.completedAt }),
    };
    await asKnex(tx)('ota_deployments').where({ id }).update(columns);
  }

  async lockWithNewer(tx: Transaction, id: string, organizationId: string | null): Promise<void> {
    await asKnex(tx).raw(
      `SELECT d.id FROM ota_deployments d JOIN ota_deployments own ON own.id = ?
       WHERE own.organization_id = coalesce(?, own.organization_id)
         AND d.organization_id = own.organization_id
         AND (d.created_at, d.id) >= (own.created_at, own.id)
       ORDER BY d.id FOR NO KEY UPDATE OF d`,
      [id, organizationId],
    );
  }

  async batchesOf(tx: Transaction, id: string): Promise<Batch[]> {
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

  async splitBatch(tx: Transaction, id: string, batch: Batch, size: number): Promise<void> {
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

  async findUnsettled(): Promise<UnsettledDeployment[]> {
    return this.knex('ota_deployments as d')
      .select<UnsettledDeployment[]>(
        'd.id',
        'd.status',
        this.knex.raw('d.retry_failed_before IS NOT NULL AS "isRetrying"'),
      )
      .where((any) => {
        void any
          .whereIn('d.status', ['in_progress', 'paused'])
          .orWhere((due) => {
            void due.where('d.status', 'pending').andWhereRaw('d.scheduled_at <= now()');
          })
          .orWhere((cancelled) => {
            void cancelled
              .where('d.status', 'cancelled')
              .whereExists(
                this.knex('ota_deployment_batches as b')
                  .select(this.knex.raw('1'))
                  .whereRaw('b.deployment_id = d.id AND b.pending > 0'),
              );
          });
      })
      .orderBy('d.id');
  }
}
