import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { OtaMetrics } from '../contract/admin-api.ts';
import { TARGET_STATUSES } from '../contract/states.ts';
import { emptyBreakdown } from '../deployments/deployment.types.ts';
import { isRegistered } from '../deployments/registered-device.sql.ts';
import { TOKENS } from '../tokens.ts';
import type { MetricsFigures, MetricsRepository } from './metrics.ports.ts';

/** Points of the chart over time; buckets grow with the time that is shown. */
const BUCKETS = 60;

type Scope = { organizationId: string; deploymentId: string | null };

@injectable()
export class KnexMetricsRepository implements MetricsRepository {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async figures(organizationId: string, deploymentId: string | null): Promise<MetricsFigures> {
    const scope = { organizationId, deploymentId };
    const [counters, targets, versions, endedOverTime] = await Promise.all([
      this.#counters(scope),
      this.#targets(scope),
      this.#versions(scope),
      this.#endedOverTime(scope),
    ]);
    return { ...counters, ...targets, versions, endedOverTime };
  }

  async #counters(scope: Scope) {
    const sums = TARGET_STATUSES.map((status) => `sum(b.${status}) AS ${status}`).join(', ');
    const { rows } = await this.#knex.raw<{ rows: Record<string, string | null>[] }>(
      `SELECT count(DISTINCT d.id) AS deployments,
              count(DISTINCT d.id) FILTER (WHERE d.status IN ('in_progress', 'paused')) AS active,
              ${sums}
       FROM ota_deployments d LEFT JOIN ota_deployment_batches b ON b.deployment_id = d.id
       WHERE ${deploymentScope(scope)}`,
      bindings(scope),
    );
    const row = rows[0] ?? {};
    const breakdown = emptyBreakdown();
    for (const status of TARGET_STATUSES) breakdown[status] = Number(row[status] ?? 0);
    return {
      breakdown,
      totalTargets: Object.values(breakdown).reduce((sum, count) => sum + count, 0),
      totalDeployments: Number(row['deployments'] ?? 0),
      activeDeployments: Number(row['active'] ?? 0),
    };
  }

  async #targets(scope: Scope) {
    const { rows } = await this.#knex.raw<{
      rows: { duration: number | null; compliant: string }[];
    }>(
      `SELECT (avg(extract(epoch FROM t.completed_at - t.started_at))
                FILTER (WHERE t.status = 'completed'))::double precision AS duration,
              count(*) FILTER (WHERE device.firmware_version = d.target_version) AS compliant
       FROM ota_deployments d
       JOIN ota_deployment_devices t ON t.deployment_id = d.id
       LEFT JOIN edge_devices device ON device.id = t.device_id
       WHERE ${deploymentScope(scope)}`,
      bindings(scope),
    );
    return {
      averageDurationSeconds: rows[0]?.duration ?? null,
      compliantTargets: Number(rows[0]?.compliant ?? 0),
    };
  }

  async #versions(scope: Scope): Promise<OtaMetrics['versions']> {
    const ofDeployment =
      scope.deploymentId === null
        ? ''
        : `AND device.id IN (SELECT device_id FROM ota_deployment_devices
                             WHERE deployment_id = :deployment_id)`;
    const { rows } = await this.#knex.raw<{
      rows: { device_type: string | null; version: string | null; count: string }[];
    }>(
      `SELECT device.device_type, device.firmware_version AS version, count(*) AS count
       FROM edge_devices device
       WHERE device.organization_id = :organization_id AND ${isRegistered('device')} ${ofDeployment}
       GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`,
      bindings(scope),
    );
    return rows.map((row) => ({ ...row, count: Number(row.count) }));
  }

  async #endedOverTime(scope: Scope): Promise<OtaMetrics['ended_over_time']> {
    const { rows } = await this.#knex.raw<{
      rows: { at: Date; completed: string; failed: string; rolled_back: string }[];
    }>(
      `WITH ended AS (
         SELECT t.status, t.completed_at
         FROM ota_deployments d JOIN ota_deployment_devices t ON t.deployment_id = d.id
         WHERE ${deploymentScope(scope)} AND t.completed_at IS NOT NULL
           AND t.status IN ('completed', 'failed', 'rolled_back')
       ), span AS (
         SELECT min(completed_at) AS first,
                greatest(extract(epoch FROM max(completed_at) - min(completed_at)) / ${BUCKETS}, 1)
                  AS seconds
         FROM ended
       )
       SELECT date_bin(make_interval(secs => span.seconds::double precision), completed_at, span.first) AS at,
              count(*) FILTER (WHERE status = 'completed') AS completed,
              count(*) FILTER (WHERE status = 'failed') AS failed,
              count(*) FILTER (WHERE status = 'rolled_back') AS rolled_back
       FROM ended, span GROUP BY 1 ORDER BY 1`,
      bindings(scope),
    );
    return rows.map((row) => ({
      at: row.at.toISOString(),
      completed: Number(row.completed),
      failed: Number(row.failed),
      rolled_back: Number(row.rolled_back),
    }));
  }
}

function deploymentScope({ deploymentId }: Scope): string {
  const organization = 'd.organization_id = :organization_id';
  return deploymentId === null ? organization : `${organization} AND d.id = :deployment_id`;
}

function bindings({ organizationId, deploymentId }: Scope): Record<string, string> {
  return {
    organization_id: organizationId,
    ...(deploymentId !== null && { deployment_id: deploymentId }),
  };
}
