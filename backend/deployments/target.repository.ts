import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { DeviceFilters, TargetView } from '../contract/admin-api.ts';
import type { TargetStatus } from '../contract/states.ts';
import { asKnex } from '../database/knex-unit-of-work.ts';
import { likePattern } from '../database/like-pattern.ts';
import { prepared } from '../database/prepared.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import { TOKENS } from '../tokens.ts';
import type {
  InstalledVersion,
  MatchingGroup,
  TargetPosition,
  TargetQuery,
  TargetRepository,
  VersionGroup,
} from './deployment.ports.ts';
import type { Deployment, Target, TargetKey } from './deployment.types.ts';
import { incomparableDevices, matchingDevices, type SqlPart } from './matching-devices.sql.ts';
import type { SkipReason } from './target.states.ts';

interface TargetRow {
  deployment_id: string;
  device_id: string;
  position: number;
  status: TargetStatus;
  attempt: number;
  progress: number | null;
  previous_version: string | null;
  started_at: Date | null;
  completed_at: Date | null;
  last_report_at: Date | null;
  error_message: string | null;
  timed_out: boolean;
  skip_reason: SkipReason | null;
  rollback_version: string | null;
  rollback_requested_by: string | null;
  rolled_back_on_request: boolean;
}

interface TargetViewRow extends TargetRow {
  device_name: string | null;
  device_type: string | null;
  firmware_version: string | null;
  batch: number;
}

/** Columns of a target, in the order of {@link KnexTargetRepository.save}'s parameters. */
const SAVED_COLUMNS = {
  status: 'text',
  attempt: 'int',
  progress: 'smallint',
  previous_version: 'text',
  started_at: 'timestamptz',
  completed_at: 'timestamptz',
  last_report_at: 'timestamptz',
  error_message: 'text',
  timed_out: 'boolean',
  skip_reason: 'text',
  rollback_version: 'text',
  rollback_requested_by: 'text',
  rolled_back_on_request: 'boolean',
} as const;

/** The batch that holds a target's position. */
const BATCH_OF_TARGET = `
  CROSS JOIN LATERAL (
    SELECT number, released_at FROM ota_deployment_batches
    WHERE deployment_id = t.deployment_id AND first_position <= t.position
    ORDER BY number DESC LIMIT 1
  ) batch`;

/**
 * Whether a device has completed a deployment created after `own`. OFFSET 0 keeps the lookups one by
 * one over the primary key, whatever the planner believes of a table that has just grown.
 */
const completedNewer = (deviceId: string, own: string) => `EXISTS (
    SELECT 1 FROM ota_deployments newer
    CROSS JOIN LATERAL (
      SELECT 1 FROM ota_deployment_devices other
      WHERE other.deployment_id = newer.id AND other.device_id = ${deviceId}
        AND other.status = 'completed' OFFSET 0
    ) done
    WHERE newer.organization_id = ${own}.organization_id
      AND (newer.created_at, newer.id) > (${own}.created_at, ${own}.id))`;

/** Whether a target's device has completed a deployment created after the target's. */
const IS_OVERTAKEN = `EXISTS (
    SELECT 1 FROM ota_deployments own
    WHERE own.id = t.deployment_id AND ${completedNewer('t.device_id', 'own')})`;

@injectable()
export class KnexTargetRepository implements TargetRepository {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    filters: DeviceFilters,
    onlineFirst: boolean,
  ): Promise<number> {
    const matching = matchingDevices(organizationId, filters);
    const result = await asKnex(tx).raw<{ rowCount: number }>(
      `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, position, previous_version)
       SELECT :deployment_id, d.id, 'pending', row_number() OVER (
                ORDER BY ${onlineFirst ? `d.status = 'online' DESC NULLS LAST,` : ''}
                  hashtextextended(d.id::text, hashtextextended(CAST(:deployment_id AS text), 0)), d.id
              ) - 1, d.firmware_version
       FROM edge_devices d WHERE ${matching.sql}`,
      { ...matching.bindings, deployment_id: deploymentId },
    );
    return result.rowCount;
  }

  async refreshStatistics(): Promise<void> {
    await this.#knex.raw('ANALYZE ota_deployment_devices');
  }

  async countMatching(organizationId: string, filters: DeviceFilters): Promise<MatchingGroup[]> {
    const matching = matchingDevices(organizationId, filters);
    const { rows } = await this.#knex.raw<{
      rows: { device_type: string | null; version: string | null; count: string }[];
    }>(
      `SELECT d.device_type, d.firmware_version AS version, count(*) AS count
       FROM edge_devices d WHERE ${matching.sql} GROUP BY 1, 2`,
      matching.bindings,
    );
    return rows.map((row) => ({
      deviceType: row.device_type,
      version: row.version,
      count: Number(row.count),
    }));
  }

  async countIncomparable(organizationId: string, filters: DeviceFilters): Promise<VersionGroup[]> {
    const part: SqlPart | null = incomparableDevices(organizationId, filters);
    if (!part) return [];
    const { rows } = await this.#knex.raw<{ rows: { version: string | null; count: string }[] }>(
      `SELECT d.firmware_version AS version, count(*) AS count
       FROM edge_devices d WHERE ${part.sql} GROUP BY 1 ORDER BY 2 DESC, 1`,
      part.bindings,
    );
    return rows.map((row) => ({ version: row.version, count: Number(row.count) }));
  }

  async page(deployment: Deployment, query: TargetQuery): Promise<TargetPosition[]> {
    const chosen = this.#knex('ota_deployment_devices as t')
      .select('t.*')
      .where('t.deployment_id', deployment.id)
      .orderBy('t.position')
      .limit(query.limit);
    if (query.status) void chosen.andWhere('t.status', query.status);
    let after = query.afterPosition ?? -1;
    if (query.batch !== undefined) {
      const batch = await this.#batchRange(deployment.id, query.batch);
      if (!batch) return [];
      after = Math.max(after, batch.first_position - 1);
      void chosen.andWhere('t.position', '<', batch.first_position + batch.size);
    }
    void chosen.andWhere('t.position', '>', after);
    if (query.search) {
      const pattern = likePattern(query.search);
      void chosen
        .leftJoin('edge_devices as device', 'device.id', 't.device_id')
        .andWhere((either) => {
          void either
            .whereILike('device.device_name', pattern)
            .orWhereRaw('t.device_id::text ILIKE ?', [pattern])
            .orWhereRaw('device.device_id::text ILIKE ?', [pattern])
            .orWhereILike('t.error_message', pattern);
        });
    }
    const rows = await this.#withDevices(chosen);
    return rows.map((row) => ({ position: row.position, view: toView(row, deployment) }));
  }

  async #batchRange(
    deploymentId: string,
    number: number,
  ): Promise<{ first_position: number; size: number } | undefined> {
    return this.#knex('ota_deployment_batches')
      .where({ deployment_id: deploymentId, number })
      .first('first_position', 'size');
  }

  async views(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]> {
    const chosen = this.#knex('ota_deployment_devices as t')
      .select('t.*')
      .where('t.deployment_id', deployment.id)
      .whereRaw('t.device_id = ANY(?::uuid[])', [deviceIds]);
    const rows = await this.#withDevices(chosen);
    return rows.map((row) => toView(row, deployment));
  }

  /** Targets are chosen first: their devices and batches are looked up for the chosen ones only. */
  async #withDevices(chosen: Knex.QueryBuilder): Promise<TargetViewRow[]> {
    return (await this.#knex(chosen.as('t'))
      .select(
        't.*',
        'device.device_name',
        'device.device_type',
        'device.firmware_version',
        'batch.number as batch',
      )
      .joinRaw(BATCH_OF_TARGET)
      .leftJoin('edge_devices as device', 'device.id', 't.device_id')
      .orderBy('t.position')) as TargetViewRow[];
  }

  async find(deploymentId: string, deviceId: string): Promise<Target | null> {
    const row = await this.#knex<TargetRow>('ota_deployment_devices')
      .where({ deployment_id: deploymentId, device_id: deviceId })
      .first();
    return row ? toTarget(row) : null;
  }

  async lock(tx: Transaction, keys: TargetKey[]): Promise<Target[]> {
    const rows = await prepared<TargetRow>(
      asKnex(tx),
      'ota_lock_targets',
      `SELECT t.* FROM ota_deployment_devices t
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
    await prepared(
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
    const { rows } = await asKnex(tx).raw<{
      rows: { deployment_id: string; device_id: string }[];
    }>(
      `SELECT DISTINCT t.deployment_id, t.device_id
       FROM unnest(CAST(:deployments AS uuid[]), CAST(:devices AS uuid[])) AS c (deployment_id, device_id)
       JOIN ota_deployments newer ON newer.id = c.deployment_id
       CROSS JOIN LATERAL (
         SELECT deployment_id, device_id FROM ota_deployment_devices
         WHERE device_id = c.device_id AND status = 'pending' OFFSET 0
       ) t
       JOIN ota_deployments older ON older.id = t.deployment_id
       WHERE (older.created_at, older.id) < (newer.created_at, newer.id)
         AND older.organization_id = newer.organization_id`,
      {
        deployments: completed.map((key) => key.deploymentId),
        devices: completed.map((key) => key.deviceId),
      },
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
    return this.#moveMany(tx, deploymentId, 'pending', 'skipped', {
      set: 'skip_reason = :reason, completed_at = :at',
      bindings: { reason, at, limit },
    });
  }

  async retryFailed(tx: Transaction, deploymentId: string): Promise<number> {
    const change = {
      set: `attempt = t.attempt + 1, progress = NULL, started_at = NULL, completed_at = NULL,
            last_report_at = NULL, error_message = NULL, timed_out = false,
            rollback_version = NULL, rollback_requested_by = NULL`,
      onlyIf: `NOT t.rolled_back_on_request AND NOT ${IS_OVERTAKEN}`,
      bindings: { limit: null },
    };
    const failed = await this.#moveMany(tx, deploymentId, 'failed', 'pending', change);
    return failed + (await this.#moveMany(tx, deploymentId, 'rolled_back', 'pending', change));
  }

  async findOvertaken(
    tx: Transaction,
    deploymentId: string,
    deviceIds: string[],
  ): Promise<string[]> {
    const { rows } = await asKnex(tx).raw<{ rows: { device_id: string }[] }>(
      `SELECT t.device_id FROM ota_deployment_devices t
       WHERE t.deployment_id = :deployment_id AND t.device_id = ANY(CAST(:devices AS uuid[]))
         AND ${IS_OVERTAKEN}`,
      { deployment_id: deploymentId, devices: deviceIds },
    );
    return rows.map((row) => row.device_id);
  }

  /** Moves targets of one deployment between two statuses, with their batches' counters. */
  async #moveMany(
    tx: Transaction,
    deploymentId: string,
    from: TargetStatus,
    to: TargetStatus,
    change: {
      set: string;
      onlyIf?: string;
      bindings: Record<string, string | number | Date | null>;
    },
  ): Promise<number> {
    const { rows } = await asKnex(tx).raw<{ rows: { moved: string }[] }>(
      `WITH chosen AS (
         SELECT t.device_id FROM ota_deployment_devices t
         WHERE t.deployment_id = :deployment_id AND t.status = :from AND ${change.onlyIf ?? 'true'}
         ORDER BY t.position LIMIT :limit
       ), moved AS (
         UPDATE ota_deployment_devices t SET status = :to, ${change.set}
         FROM chosen
         WHERE t.deployment_id = :deployment_id AND t.device_id = chosen.device_id
         RETURNING t.deployment_id, t.position
       ), per_batch AS (
         SELECT batch.number, count(*)::int AS targets
         FROM moved t ${BATCH_OF_TARGET} GROUP BY batch.number
       ), counted AS (
         UPDATE ota_deployment_batches b
         SET ${from} = b.${from} - per_batch.targets, ${to} = b.${to} + per_batch.targets
         FROM per_batch
         WHERE b.deployment_id = :deployment_id AND b.number = per_batch.number
       )
       SELECT count(*) AS moved FROM moved`,
      { ...change.bindings, deployment_id: deploymentId, from, to },
    );
    return Number(rows[0]?.moved ?? 0);
  }

  async findOverdue(now: Date, limit: number): Promise<TargetKey[]> {
    const { rows } = await this.#knex.raw<{ rows: { deployment_id: string; device_id: string }[] }>(
      `SELECT t.deployment_id, t.device_id
       FROM ota_deployment_devices t JOIN ota_deployments d ON d.id = t.deployment_id
       WHERE t.status IN ('downloading', 'installing', 'verifying')
         AND t.last_report_at < CAST(:now AS timestamptz)
           - make_interval(mins => coalesce((d.policy->>'device_timeout_minutes')::int, 60))
       ORDER BY t.last_report_at LIMIT :limit`,
      { now, limit },
    );
    return rows.map(toKey);
  }

  async findNotPickedUp(now: Date, limit: number): Promise<TargetKey[]> {
    const { rows } = await this.#knex.raw<{ rows: { deployment_id: string; device_id: string }[] }>(
      `SELECT t.deployment_id, t.device_id
       FROM ota_deployments d
       JOIN ota_deployment_batches b ON b.deployment_id = d.id
       JOIN ota_deployment_devices t ON t.deployment_id = d.id AND t.status = 'pending'
         AND t.position >= b.first_position AND t.position < b.first_position + b.size
       WHERE d.status = 'in_progress' AND b.pending > 0 AND b.released_at IS NOT NULL
         AND coalesce(d.policy->>'pickup_timeout_hours',
               CASE WHEN d.rollout_strategy = 'rolling' AND NOT d.policy ? 'pickup_timeout_hours'
                    THEN '24' END) IS NOT NULL
         AND greatest(b.released_at, d.resumed_at) < CAST(:now AS timestamptz) - make_interval(secs =>
               3600 * coalesce((d.policy->>'pickup_timeout_hours')::numeric, 24)::double precision)
       ORDER BY t.deployment_id, t.position LIMIT :limit`.replace(
        'd.policy ?',
        String.raw`d.policy \?`,
      ),
      { now, limit },
    );
    return rows.map(toKey);
  }

  async recordVersions(tx: Transaction, versions: InstalledVersion[]): Promise<void> {
    if (versions.length === 0) return;
    await asKnex(tx).raw(
      `UPDATE edge_devices device SET firmware_version = v.version
       FROM unnest(CAST(:deployments AS uuid[]), CAST(:devices AS uuid[]), CAST(:versions AS text[]),
                   CAST(:on_request AS boolean[]))
         AS v (deployment_id, device_id, version, on_request)
       JOIN ota_deployments d ON d.id = v.deployment_id
       WHERE device.id = v.device_id AND device.organization_id = d.organization_id
         AND (v.on_request OR NOT ${completedNewer('v.device_id', 'd')})`,
      {
        deployments: versions.map((entry) => entry.deploymentId),
        devices: versions.map((entry) => entry.deviceId),
        versions: versions.map((entry) => entry.version),
        on_request: versions.map((entry) => entry.onRequest),
      },
    );
  }

  async currentVersions(tx: Transaction, deviceIds: string[]): Promise<Map<string, string | null>> {
    const rows = await prepared<{ id: string; firmware_version: string | null }>(
      asKnex(tx),
      'ota_current_versions',
      'SELECT id, firmware_version FROM edge_devices WHERE id = ANY($1::uuid[])',
      [deviceIds],
    );
    return new Map(rows.map((row) => [row.id, row.firmware_version]));
  }
}

function toKey(row: { deployment_id: string; device_id: string }): TargetKey {
  return { deploymentId: row.deployment_id, deviceId: row.device_id };
}

function toTarget(row: TargetRow): Target {
  return {
    deploymentId: row.deployment_id,
    deviceId: row.device_id,
    position: row.position,
    status: row.status,
    attempt: row.attempt,
    progress: row.progress,
    previousVersion: row.previous_version,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    lastReportAt: row.last_report_at,
    errorMessage: row.error_message,
    timedOut: row.timed_out,
    skipReason: row.skip_reason,
    rollbackVersion: row.rollback_version,
    rollbackRequestedBy: row.rollback_requested_by,
    rolledBackOnRequest: row.rolled_back_on_request,
  };
}

function toRow(target: Target): TargetRow {
  return {
    deployment_id: target.deploymentId,
    device_id: target.deviceId,
    position: target.position,
    status: target.status,
    attempt: target.attempt,
    progress: target.progress,
    previous_version: target.previousVersion,
    started_at: target.startedAt,
    completed_at: target.completedAt,
    last_report_at: target.lastReportAt,
    error_message: target.errorMessage,
    timed_out: target.timedOut,
    skip_reason: target.skipReason,
    rollback_version: target.rollbackVersion,
    rollback_requested_by: target.rollbackRequestedBy,
    rolled_back_on_request: target.rolledBackOnRequest,
  };
}

function toView(row: TargetViewRow, deployment: Deployment): TargetView {
  return {
    device_id: row.device_id,
    device_name: row.device_name,
    device_type: row.device_type,
    current_version: row.firmware_version,
    previous_version: row.previous_version,
    batch: row.batch,
    released: row.position < deployment.releasedDevices,
    attempt: row.attempt,
    status: row.status,
    progress: row.progress,
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    last_report_at: row.last_report_at?.toISOString() ?? null,
    error_message: row.error_message,
    rollback_requested: row.rollback_version,
  };
}
