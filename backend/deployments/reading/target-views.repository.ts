import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { PluginConfig } from '../../config.ts';
import type {
  DeviceTarget,
  EarlierAttempt,
  TargetView,
  WaitingFor,
} from '../../contract/admin-api.ts';
import type { Components } from '../../contract/device-api.ts';
import { TARGET_STATUSES, type Protection, type WaitingReason } from '../../contract/states.ts';
import { installedVersion, joinProfile } from '../../targeting/device-profile.sql.ts';
import type { Deployment } from '../model/deployment.types.ts';
import { isFinished } from '../rules/target-reports.ts';
import { silenceLimitMs, whereWaiting } from '../rules/waiting.ts';
import { targetsInOrder, type TargetRange } from './target-range.sql.ts';
import { searchTargets } from './target-search.sql.ts';
import type { TargetQuery, TargetViewPage, TargetViews } from '../model/target.ports.ts';
import type { TargetRow } from '../storage/target.row.ts';
import { BATCH_OF_TARGET, JOIN_OWN_DEVICE } from '../storage/target.sql.ts';
import { Database } from '../../database/database.ts';
import { readSituations } from './waiting.sql.ts';
import { waitingForOf } from './waiting.views.ts';

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

/** Targets that a page of those which wait for a reason scans at most, and in one statement. */
const MAX_SCANNED = 1_000;
const SCAN_SIZE = 250;

const NO_TARGETS: TargetViewPage = { targets: [], next: null };

/** Selects targets of a range, as {@link targetsInOrder}. */
type SelectTargets = (range: TargetRange) => Promise<{ rows: Knex.QueryBuilder }>;

@injectable()
export class KnexTargetViews implements TargetViews {
  constructor(
    @inject(Database) private readonly knex: Knex,
    @inject(PluginConfig) private readonly config: PluginConfig,
  ) {}

  async page(deployment: Deployment, query: TargetQuery): Promise<TargetViewPage> {
    const range: TargetRange = {
      statuses: query.status ? [query.status] : TARGET_STATUSES,
      after: query.afterPosition ?? -1,
      before: deployment.totalDevices,
      limit: query.limit,
    };
    if (query.batch !== undefined) {
      const batch = await this.#batchRange(deployment.id, query.batch);
      if (!batch) return NO_TARGETS;
      restrict(range, batch.first_position, batch.first_position + batch.size);
    }
    const select: SelectTargets = async (part) =>
      query.search
        ? searchTargets(this.knex, deployment, part, query.search)
        : targetsInOrder(this.knex, deployment.id, part);
    if (query.waitingFor) return this.#waitingPage(deployment, range, select, query.waitingFor);
    return this.#pageOf(deployment, range, select);
  }

  async #pageOf(
    deployment: Deployment,
    range: TargetRange,
    select: SelectTargets,
  ): Promise<TargetViewPage> {
    const { rows: selected } = await select(range);
    const rows = await this.#withDevices(selected, deployment.organizationId);
    const last = rows.at(-1);
    return {
      targets: await this.#toViews(rows, deployment),
      next: last && rows.length === range.limit ? last.position : null,
    };
  }

  /** A page of the targets that wait for a reason. */
  async #waitingPage(
    deployment: Deployment,
    range: TargetRange,
    select: SelectTargets,
    reason: WaitingReason,
  ): Promise<TargetViewPage> {
    const where = whereWaiting(deployment, reason, await this.#firstUnrequested(deployment));
    if (!where) return NO_TARGETS;
    restrict(range, where.from, where.to);
    range.statuses = range.statuses.filter((status) => !isFinished(status));
    if (where.all) return this.#pageOf(deployment, range, select);
    const { devices, next } = await this.#scan(deployment, range, select, reason);
    return { targets: await this.ofDevices(deployment, devices), next };
  }

  /** Searches a limited number of targets for those that wait for a reason which depends on the device. */
  async #scan(
    deployment: Deployment,
    range: TargetRange,
    select: SelectTargets,
    reason: WaitingReason,
  ): Promise<{ devices: string[]; next: number | null }> {
    const devices: string[] = [];
    let after = range.after;
    for (let scanned = 0; scanned < MAX_SCANNED; scanned += SCAN_SIZE) {
      const { rows } = await select({ ...range, after, limit: SCAN_SIZE });
      const part = (await this.knex
        .from(rows.as('t'))
        .select('t.device_id', 't.position')
        .orderBy('t.position')) as Pick<TargetRow, 'device_id' | 'position'>[];
      const waitingFor = await this.#waitingFor(
        deployment,
        part.map((row) => row.device_id),
      );
      for (const { device_id: id, position } of part) {
        if (waitingFor.get(id)?.reason !== reason) continue;
        devices.push(id);
        if (devices.length === range.limit) return { devices, next: position };
      }
      const last = part.at(-1);
      if (!last || part.length < SCAN_SIZE) return { devices, next: null };
      after = last.position;
    }
    return { devices, next: after };
  }

  /** The first position whose release has not been requested. */
  async #firstUnrequested({ id, totalDevices }: Deployment): Promise<number> {
    const batch = await this.knex('ota_deployment_batches')
      .where({ deployment_id: id })
      .whereNull('release_requested_at')
      .orderBy('number')
      .first<{ first_position: number } | undefined>('first_position');
    return batch?.first_position ?? totalDevices;
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
    const rows = await this.#withDevices(selected, deployment.organizationId);
    return this.#toViews(rows, deployment);
  }

  async ofDevice(deviceId: string, deployments: readonly Deployment[]): Promise<DeviceTarget[]> {
    const [first] = deployments;
    if (!first) return [];
    const selected = this.knex('ota_deployment_devices as t')
      .select('t.*')
      .whereRaw('t.deployment_id = ANY(?::uuid[])', [deployments.map(({ id }) => id)])
      .where('t.device_id', deviceId);
    const rows = await this.#withDevices(selected, first.organizationId);
    const unfinished = rows.some((row) => !isFinished(row.status)) ? [deviceId] : [];
    const explained = await this.#explain(first.organizationId, unfinished);
    const rowOf = new Map(rows.map((row) => [row.deployment_id, row]));
    return deployments.flatMap((deployment) => {
      const row = rowOf.get(deployment.id);
      if (!row) return [];
      const waitingFor = explained.get(deviceId)?.get(deployment.id) ?? null;
      return [{ ...toDeviceTarget(row, deployment), waiting_for: waitingFor }];
    });
  }

  async #toViews(rows: TargetViewRow[], deployment: Deployment): Promise<TargetView[]> {
    const unfinished = rows.filter((row) => !isFinished(row.status)).map((row) => row.device_id);
    const waitingFor = await this.#waitingFor(deployment, unfinished);
    return rows.map((row) => ({
      ...toView(row, deployment),
      waiting_for: waitingFor.get(row.device_id) ?? null,
    }));
  }

  /** What the targets of devices wait for, by device. */
  async #waitingFor(
    { id, organizationId }: Deployment,
    devices: string[],
  ): Promise<Map<string, WaitingFor>> {
    const found = new Map<string, WaitingFor>();
    for (const [device, explained] of await this.#explain(organizationId, devices)) {
      const waitingFor = explained.get(id);
      if (waitingFor) found.set(device, waitingFor);
    }
    return found;
  }

  /** What the unfinished targets of devices wait for, by device and by deployment. */
  async #explain(
    organizationId: string,
    devices: string[],
  ): Promise<Map<string, Map<string, WaitingFor>>> {
    if (devices.length === 0) return new Map();
    const silenceMs = silenceLimitMs(this.config.poll_interval_seconds);
    const situations = await readSituations(this.knex, organizationId, devices);
    return new Map(
      [...situations].map(([device, situation]) => [device, waitingForOf(situation, silenceMs)]),
    );
  }

  /**
   * Joins devices and batches to the selected targets only. If a device is gone, its name and type come from the
   * target.
   */
  async #withDevices(
    selected: Knex.QueryBuilder,
    organizationId: string,
  ): Promise<TargetViewRow[]> {
    return (await this.knex(selected.as('t'))
      .select(
        't.*',
        this.knex.raw('coalesce(device.device_name, t.device_name) AS device_name'),
        this.knex.raw('coalesce(device.device_type, t.device_type) AS device_type'),
        'device.id as device_row_id',
        this.knex.raw(`${installedVersion('device', 'd.package_name')} AS installed_version`),
        'profile.protection',
        'profile.components',
        'batch.number as batch',
      )
      .joinRaw(BATCH_OF_TARGET)
      .join('ota_deployments as d', 'd.id', 't.deployment_id')
      .joinRaw(JOIN_OWN_DEVICE, [organizationId])
      .joinRaw(joinProfile('device'))
      .orderBy('t.position')) as TargetViewRow[];
  }
}

/** Restricts a range to the positions from the first to before the second. */
function restrict(range: TargetRange, from: number, to: number): void {
  range.after = Math.max(range.after, from - 1);
  range.before = Math.min(range.before, to);
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

function toView(row: TargetViewRow, deployment: Deployment): Omit<TargetView, 'waiting_for'> {
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

function toDeviceTarget(
  row: TargetViewRow,
  deployment: Deployment,
): Omit<DeviceTarget, 'waiting_for'> {
  return {
    ...toView(row, deployment),
    deployment_id: deployment.id,
    deployment_name: deployment.name,
    target_version: deployment.targetVersion,
    deployment_status: deployment.status,
    deployment_created_at: deployment.createdAt.toISOString(),
    skip_reason: row.status === 'skipped' ? row.skip_reason : null,
    rolled_back_on_request: row.rolled_back_on_request,
  };
}
