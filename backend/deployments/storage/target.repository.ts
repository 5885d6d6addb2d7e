import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { SkipReason, TargetStatus } from '../../contract/states.ts';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type { Target, TargetKey, GoneReason } from '../model/deployment.types.ts';
import { updateFinishedOverTime } from './finished-over-time.sql.ts';
import type { NewerDeployment, RetryCursor, TargetRepository } from '../model/target.ports.ts';
import { TARGET_COLUMNS, toRow, toTarget, type TargetRow } from './target.row.ts';
import {
  BATCH_OF_TARGET,
  IS_RETRYABLE,
  UNFINISHED,
  goneReason,
  isSameProduct,
} from './target.sql.ts';
import { Database } from '../../database/database.ts';

/** Types of the columns that {@link KnexTargetRepository.save} writes. */
const SAVED_COLUMNS = {
  status: 'text',
  attempt: 'int',
  progress: 'smallint',
  activity: 'text',
  previous_version: 'text',
  started_at: 'timestamptz',
  completed_at: 'timestamptz',
  last_report_at: 'timestamptz',
  error_message: 'text',
  failure_cause: 'text',
  timed_out: 'boolean',
  skip_reason: 'text',
  rollback_version: 'text',
  rollback_requested_by: 'text',
  rolled_back_on_request: 'boolean',
  update_ended_at: 'timestamptz',
} as const;

/** Earlier attempts that are stored per target, whose number is otherwise unlimited. */
const MAX_EARLIER_ATTEMPTS = 20;

/** The earlier attempts of the target `t` with its current attempt added, which a retry clears. */
const ARCHIVED_ATTEMPTS = `jsonb_path_query_array(
        coalesce(t.earlier_attempts, '[]') || jsonb_build_object(
          'attempt', t.attempt, 'status', t.status, 'error_message', t.error_message, 'failure_cause', t.failure_cause,
          'started_at', t.started_at, 'completed_at', coalesce(t.update_ended_at, t.completed_at)),
        '$[last - ${MAX_EARLIER_ATTEMPTS - 1} to last]')`;

/** Whether a retry of all failed targets, requested at `:before`, covers the target `t`. */
const IS_IN_RETRY = `t.position > :after AND NOT t.rolled_back_on_request
           AND (t.completed_at <= :before OR t.completed_at IS NULL) AND ${IS_RETRYABLE}`;

@injectable()
export class KnexTargetRepository implements TargetRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async find(deploymentId: string, deviceId: string): Promise<Target | null> {
    const row = await this.knex<TargetRow>('ota_deployment_devices')
      .where({ deployment_id: deploymentId, device_id: deviceId })
      .first();
    return row ? toTarget(row) : null;
  }

  async lock(tx: Transaction, keys: TargetKey[]): Promise<Target[]> {
    const rows = await runPrepared<TargetRow>(
      asKnex(tx),
      'ota_lock_targets',
      `SELECT ${TARGET_COLUMNS.map((column) => `t.${column}`).join(', ')} FROM ota_deployment_devices t
       JOIN (SELECT DISTINCT * FROM unnest($1::uuid[], $2::uuid[])) AS k (deployment_id, device_id)
         ON k.deployment_id = t.deployment_id AND k.device_id = t.device_id
       ORDER BY t.deployment_id, t.device_id FOR NO KEY UPDATE OF t`,
      [keys.map((key) => key.deploymentId), keys.map((key) => key.deviceId)],
    );
    return rows.map(toTarget);
  }

  async save(tx: Transaction, targets: Target[]): Promise<void> {
    if (targets.length === 0) return;
    const columns = Object.keys(SAVED_COLUMNS) as (keyof typeof SAVED_COLUMNS)[];
    const rows = targets.map(toRow);
    await runPrepared(
      asKnex(tx),
      'ota_save_targets',
      `UPDATE ota_deployment_devices t
       SET ${columns.map((column) => `${column} = s.${column}`).join(', ')}
       FROM unnest($1::uuid[], $2::uuid[], ${columns
         .map((column, index) => `$${index + 3}::${SAVED_COLUMNS[column]}[]`)
         .join(', ')}) AS s (deployment_id, device_id, ${columns.join(', ')})
       WHERE t.deployment_id = s.deployment_id AND t.device_id = s.device_id`,
      [
        rows.map((row) => row.deployment_id),
        rows.map((row) => row.device_id),
        ...columns.map((column) => rows.map((row) => row[column])),
      ],
    );
  }

  async findSuperseded(tx: Transaction, completed: TargetKey[]): Promise<TargetKey[]> {
    if (completed.length === 0) return [];
    const rows = await runPrepared<{ deployment_id: string; device_id: string }>(
      asKnex(tx),
      'ota_superseded_targets',
      `SELECT DISTINCT t.deployment_id, t.device_id
       FROM unnest($1::uuid[], $2::uuid[]) AS c (deployment_id, device_id)
       JOIN ota_deployments newer ON newer.id = c.deployment_id
       CROSS JOIN LATERAL (
         SELECT deployment_id, device_id FROM ota_deployment_devices
         WHERE device_id = c.device_id
           AND status IN ${UNFINISHED} OFFSET 0
       ) t
       JOIN ota_deployments older ON older.id = t.deployment_id
       WHERE (older.created_at, older.id) < (newer.created_at, newer.id)
         AND older.organization_id = newer.organization_id AND ${isSameProduct('older', 'newer')}`,
      [completed.map((key) => key.deploymentId), completed.map((key) => key.deviceId)],
    );
    return rows.map(toKey);
  }

  async skipPending(
    tx: Transaction,
    deploymentId: string,
    reason: SkipReason,
    at: Date,
    limit: number,
  ): Promise<number> {
    const { moved } = await this.#moveMany(tx, deploymentId, 'pending', 'skipped', {
      set: 'skip_reason = :reason, completed_at = :at',
      bindings: { reason, at, limit },
    });
    return moved;
  }

  async retryFailed(
    tx: Transaction,
    deploymentId: string,
    before: Date,
    from: RetryCursor,
    limit: number,
  ): Promise<{ retried: number; next: RetryCursor | null }> {
    const { moved, last } = await this.#moveMany(tx, deploymentId, from.status, 'pending', {
      set: `earlier_attempts = ${ARCHIVED_ATTEMPTS}, update_ended_at = NULL,
            attempt = t.attempt + 1, progress = NULL, activity = NULL, started_at = NULL, completed_at = NULL,
            last_report_at = NULL, error_message = NULL, failure_cause = NULL, timed_out = false, skip_reason = NULL`,
      onlyIf: IS_IN_RETRY,
      bindings: { before, after: from.after, limit },
    });
    if (moved === limit) return { retried: moved, next: { ...from, after: last } };
    if (from.status === 'rolled_back') return { retried: moved, next: null };
    const rest = await this.retryFailed(
      tx,
      deploymentId,
      before,
      { status: 'rolled_back', after: -1 },
      limit - moved,
    );
    return { ...rest, retried: moved + rest.retried };
  }

  async archiveAttempts(tx: Transaction, targets: TargetKey[]): Promise<void> {
    await asKnex(tx).raw(
      `UPDATE ota_deployment_devices t SET earlier_attempts = ${ARCHIVED_ATTEMPTS}
       FROM unnest(CAST(:deployments AS uuid[]), CAST(:devices AS uuid[])) AS k (deployment_id, device_id)
       WHERE t.deployment_id = k.deployment_id AND t.device_id = k.device_id`,
      {
        deployments: targets.map((key) => key.deploymentId),
        devices: targets.map((key) => key.deviceId),
      },
    );
  }

  async findRetryable(
    tx: Transaction,
    deploymentId: string,
    deviceIds: string[],
  ): Promise<string[]> {
    const { rows } = await asKnex(tx).raw<{ rows: { device_id: string }[] }>(
      `SELECT t.device_id FROM ota_deployment_devices t
       WHERE t.deployment_id = :deployment_id AND t.device_id = ANY(CAST(:devices AS uuid[]))
         AND t.status IN ('failed', 'rolled_back') AND ${IS_RETRYABLE}`,
      { deployment_id: deploymentId, devices: deviceIds },
    );
    return rows.map((row) => row.device_id);
  }

  async findNewer(tx: Transaction, key: TargetKey): Promise<NewerDeployment | null> {
    const { rows } = await asKnex(tx).raw<{ rows: (NewerDeployment & { version: string })[] }>(
      `SELECT newer.id, newer.deployment_name AS name, newer.target_version AS version
       FROM ota_deployments own
       JOIN ota_deployments newer ON newer.organization_id = own.organization_id
         AND (newer.created_at, newer.id) > (own.created_at, own.id) AND ${isSameProduct('newer', 'own')}
       CROSS JOIN LATERAL (
         SELECT 1 FROM ota_deployment_devices other
         WHERE other.deployment_id = newer.id AND other.device_id = :device_id
           AND other.status = 'completed' OFFSET 0
       ) done
       WHERE own.id = :deployment_id
       ORDER BY newer.created_at DESC, newer.id DESC LIMIT 1`,
      { device_id: key.deviceId, deployment_id: key.deploymentId },
    );
    const [row] = rows;
    return row ? { id: row.id, name: row.name, targetVersion: row.version } : null;
  }

  /**
   * Moves up to `limit` targets of one deployment from one status to another, in the order of their positions, and
   * updates the counters. Resolves to their number and the position of the last.
   */
  async #moveMany(
    tx: Transaction,
    deploymentId: string,
    from: TargetStatus,
    to: TargetStatus,
    change: {
      set: string;
      onlyIf?: string;
      bindings: { limit: number } & Record<string, string | number | Date>;
    },
  ): Promise<{ moved: number; last: number }> {
    const { rows } = await asKnex(tx).raw<{ rows: { moved: number; last: number | null }[] }>(
      `WITH selected AS (
         SELECT t.device_id, t.completed_at FROM ota_deployment_devices t
         WHERE t.deployment_id = :deployment_id AND t.status = :from AND ${change.onlyIf ?? 'true'}
         ORDER BY t.position LIMIT :limit
       ), moved AS (
         UPDATE ota_deployment_devices t SET status = :to, ${change.set}
         FROM selected
         WHERE t.deployment_id = :deployment_id AND t.device_id = selected.device_id
         RETURNING t.deployment_id, t.position, selected.completed_at AS finished_before
       ), over_time AS (${updateFinishedOverTime(
         `SELECT deployment_id, '${from}' AS status, finished_before AS at, -1 AS by FROM moved`,
       )}
       ), per_batch AS (
         SELECT batch.number, count(*)::int AS targets
         FROM moved t ${BATCH_OF_TARGET} GROUP BY batch.number
       ), counted AS (
         UPDATE ota_deployment_batches b
         SET ${from} = b.${from} - per_batch.targets, ${to} = b.${to} + per_batch.targets
         FROM per_batch
         WHERE b.deployment_id = :deployment_id AND b.number = per_batch.number
       )
       SELECT count(*)::int AS moved, max(position) AS last FROM moved`,
      { ...change.bindings, deployment_id: deploymentId, from, to },
    );
    return { moved: rows[0]?.moved ?? 0, last: rows[0]?.last ?? -1 };
  }

  async findGoneReason(tx: Transaction, key: TargetKey): Promise<GoneReason | null> {
    const { rows } = await asKnex(tx).raw<{ rows: { gone_reason: GoneReason | null }[] }>(
      `SELECT ${goneReason('device', 'd')} AS gone_reason FROM ota_deployments d
       LEFT JOIN edge_devices device ON device.id = :device_id WHERE d.id = :deployment_id`,
      { device_id: key.deviceId, deployment_id: key.deploymentId },
    );
    return rows[0]?.gone_reason ?? null;
  }
}

function toKey(row: { deployment_id: string; device_id: string }): TargetKey {
  return { deploymentId: row.deployment_id, deviceId: row.device_id };
}
