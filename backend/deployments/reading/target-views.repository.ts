import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { EarlierAttempt, TargetView } from '../../contract/admin-api.ts';
import type { Components } from '../../contract/device-api.ts';
import { TARGET_STATUSES, type Protection } from '../../contract/states.ts';
import { installedVersion, joinProfile } from '../../targeting/device-profile.sql.ts';
import type { Deployment } from '../model/deployment.types.ts';
import { targetsInOrder, type TargetRange } from './target-range.sql.ts';
import { searchTargets } from './target-search.sql.ts';
import type { TargetPosition, TargetQuery, TargetViews } from '../model/target.ports.ts';
import type { TargetRow } from '../storage/target.row.ts';
import { BATCH_OF_TARGET, JOIN_OWN_DEVICE } from '../storage/target.sql.ts';
import { Database } from '../../database/database.ts';

interface TargetViewRow extends TargetRow {
  device_name: string | null;
  device_type: string | null;
  /** The id of the device; `null`: it is gone. */
  device_row_id: string | null;
  /** The version of the deployment's product. */
  installed_version: string | null;
  protection: Protection | null;
  components: Components | null;
  batch: number;
  /** JSON, in which times have PostgreSQL's format. */
  earlier_attempts: EarlierAttempt[] | null;
}

@injectable()
export class KnexTargetViews implements TargetViews {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async page(deployment: Deployment, query: TargetQuery): Promise<TargetPosition[]> {
    const range: TargetRange = {
      statuses: query.status ? [query.status] : TARGET_STATUSES,
      after: query.afterPosition ?? -1,
      before: deployment.totalDevices,
      limit: query.limit,
    };
    if (query.batch !== undefined) {
      const batch = await this.#batchRange(deployment.id, query.batch);
      if (!batch) return [];
      range.after = Math.max(range.after, batch.first_position - 1);
      range.before = batch.first_position + batch.size;
    }
    const { rows: selected } = query.search
      ? await searchTargets(this.knex, deployment, range, query.search)
      : targetsInOrder(this.knex, deployment.id, range);
    const rows = await this.#withDevices(selected, deployment);
    return rows.map((row) => ({ position: row.position, view: toView(row, deployment) }));
  }

  async #batchRange(
    deploymentId: string,
    number: number,
  ): Promise<{ first_position: number; size: number } | undefined> {
    return this.knex('ota_deployment_batches')
      .where({ deployment_id: deploymentId, number })
      .first('first_position', 'size');
  }

  async ofDevices(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]> {
    const selected = this.knex('ota_deployment_devices as t')
      .select('t.*')
      .where('t.deployment_id', deployment.id)
      .whereRaw('t.device_id = ANY(?::uuid[])', [deviceIds]);
    const rows = await this.#withDevices(selected, deployment);
    return rows.map((row) => toView(row, deployment));
  }

  /**
   * Joins devices and batches to the selected targets only. If a device is gone, its name and type come from the
   * target.
   */
  async #withDevices(
    selected: Knex.QueryBuilder,
    deployment: Deployment,
  ): Promise<TargetViewRow[]> {
    return (await this.knex(selected.as('t'))
      .select(
        't.*',
        this.knex.raw('coalesce(device.device_name, t.device_name) AS device_name'),
        this.knex.raw('coalesce(device.device_type, t.device_type) AS device_type'),
        'device.id as device_row_id',
        this.knex.raw(`${installedVersion('device', 'CAST(:name AS text)')} AS installed_version`, {
          name: deployment.packageName,
        }),
        'profile.protection',
        'profile.components',
        'batch.number as batch',
      )
      .joinRaw(BATCH_OF_TARGET)
      .joinRaw(JOIN_OWN_DEVICE, [deployment.organizationId])
      .joinRaw(joinProfile('device'))
      .orderBy('t.position')) as TargetViewRow[];
  }
}

/** The version of a gone device after this deployment. */
function lastVersion({ status, previous_version }: TargetRow, deployment: Deployment) {
  return status === 'completed' ? deployment.targetVersion : previous_version;
}

/** Seconds. */
function durationOf(row: TargetViewRow): number | null {
  const finishedAt = row.update_ended_at ?? row.completed_at;
  if (row.started_at === null || finishedAt === null) return null;
  return Math.max(0, finishedAt.getTime() - row.started_at.getTime()) / 1_000;
}

function toTimestamp(time: string | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

function toView(row: TargetViewRow, deployment: Deployment): TargetView {
  return {
    device_id: row.device_id,
    device_name: row.device_name,
    device_type: row.device_type,
    current_version:
      row.device_row_id === null ? lastVersion(row, deployment) : row.installed_version,
    previous_version: row.previous_version,
    batch: row.batch,
    released: row.position < deployment.releasedDevices,
    attempt: row.attempt,
    status: row.status,
    progress: row.progress,
    // A server of the previous release leaves the activity when it changes the status.
    activity: row.status === 'verifying' ? row.activity : null,
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    last_report_at: row.last_report_at?.toISOString() ?? null,
    duration_seconds: durationOf(row),
    error_message: row.error_message,
    failure_cause: row.failure_cause,
    timed_out: row.timed_out,
    earlier_attempts: (row.earlier_attempts ?? []).map((earlier) => ({
      ...earlier,
      failure_cause: earlier.failure_cause ?? null,
      started_at: toTimestamp(earlier.started_at),
      completed_at: toTimestamp(earlier.completed_at),
    })),
    rollback_requested: row.rollback_version,
    protection: row.protection,
    components: row.components,
  };
}
