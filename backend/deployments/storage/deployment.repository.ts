import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { likePattern } from '../../database/like-pattern.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import { createdByFor } from '../../database/created-by-column.ts';
import type {
  DeploymentChange,
  DeploymentListPage,
  DeploymentListQuery,
  DeploymentRepository,
  UnsettledDeployment,
} from '../model/deployment.ports.ts';
import {
  DEPLOYMENT_COLUMNS,
  toDeployment,
  toState,
  type DeploymentRow,
  type StateRow,
} from './deployment.row.ts';
import {
  toDurations,
  type Deployment,
  type DeploymentDraft,
  type DeploymentState,
  type UpdateDurations,
} from '../model/deployment.types.ts';
import { Database } from '../../database/database.ts';

/** How many deployments the durations of recent updates are read from. */
const RECENT_DEPLOYMENTS = 10;

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
      package_name: draft.packageName,
      created_at: asKnex(tx).fn.now(),
      created_by: await createdByFor(asKnex(tx), createdBy),
      author: createdBy,
      metadata: JSON.stringify({
        device_filters: draft.deviceFilters,
        skip_up_to_date: draft.skipUpToDate,
        stratify_by: draft.stratifyBy,
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

  async recentDurations(
    organizationId: string,
  ): Promise<{ durations: UpdateDurations | null; now: Date }> {
    const rows = await runPrepared<{ now: Date; updates: string | null; seconds: number | null }>(
      this.knex,
      'ota_recent_durations',
      `SELECT clock_timestamp() AS now, sum(b.timed_updates) AS updates, sum(b.update_seconds) AS seconds
       FROM (
         SELECT id FROM ota_deployments WHERE organization_id = $1
         ORDER BY created_at DESC, id DESC LIMIT ${RECENT_DEPLOYMENTS}
       ) d JOIN ota_deployment_batches b ON b.deployment_id = d.id`,
      [organizationId],
    );
    const { now, updates, seconds } = rows[0] as (typeof rows)[0];
    return { durations: toDurations(Number(updates ?? 0), seconds ?? 0), now };
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
