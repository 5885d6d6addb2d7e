import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { OtaMetrics } from '../contract/admin-api.ts';
import { TARGET_STATUSES } from '../contract/states.ts';
import { emptyBreakdown } from '../deployments/model/deployment.types.ts';
import type { MetricsFigures, MetricsRepository } from './metrics.ports.ts';
import { Database } from '../database/database.ts';

/** Maximum number of buckets over time; their length depends on the whole time. */
const BUCKETS = 60;

/** Limits figures over all deployments to the last 90 days, so that their cost does not grow with the history. */
const RECENT = `AND e.at > now() - interval '90 days'`;

type Scope = { organizationId: string; deploymentId: string | null };

@injectable()
export class KnexMetricsRepository implements MetricsRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async figures(organizationId: string, deploymentId: string | null): Promise<MetricsFigures> {
    const scope = { organizationId, deploymentId };
    const [counters, endedOverTime] = await Promise.all([
      this.#counters(scope),
      this.#finishedOverTime(scope),
    ]);
    return { ...counters, finishedOverTime: endedOverTime };
  }

  async #counters(scope: Scope) {
    const sums = TARGET_STATUSES.map((status) => `sum(b.${status}) AS ${status}`).join(', ');
    const { rows } = await this.knex.raw<{ rows: Record<string, string | null>[] }>(
      `WITH d AS (SELECT d.id, d.status FROM ota_deployments d WHERE ${deploymentScope(scope)})
       SELECT (SELECT count(*) FROM d) AS deployments,
              (SELECT count(*) FROM d WHERE status IN ('in_progress', 'paused')) AS active,
              sum(b.rolled_back_on_request) AS on_request,
              sum(b.update_seconds) / nullif(sum(b.timed_updates), 0) AS duration,
              ${sums}
       FROM d JOIN ota_deployment_batches b ON b.deployment_id = d.id`,
      bindings(scope),
    );
    const row = rows[0] ?? {};
    const { duration = null } = row;
    const breakdown = emptyBreakdown();
    for (const status of TARGET_STATUSES) breakdown[status] = Number(row[status] ?? 0);
    return {
      breakdown,
      totalTargets: Object.values(breakdown).reduce((sum, count) => sum + count, 0),
      rolledBackOnRequest: Number(row['on_request'] ?? 0),
      averageDurationSeconds: duration === null ? null : Number(duration),
      totalDeployments: Number(row['deployments'] ?? 0),
      activeDeployments: Number(row['active'] ?? 0),
    };
  }

  async #finishedOverTime(scope: Scope): Promise<OtaMetrics['ended_over_time']> {
    const { rows } = await this.knex.raw<{
      rows: { at: Date; completed: string; failed: string; rolled_back: string }[];
    }>(
      `WITH finished AS (
         SELECT e.* FROM ota_deployments d JOIN ota_deployment_ends e ON e.deployment_id = d.id
         WHERE ${deploymentScope(scope)} ${scope.deploymentId === null ? RECENT : ''}
       ), span AS (
         SELECT min(at) AS first, greatest(extract(epoch FROM max(at) - min(at)) / ${BUCKETS}, 1) AS seconds
         FROM finished
       ), placed AS (
         SELECT date_bin(make_interval(secs => span.seconds::double precision), at, span.first) AS at,
                sum(completed) AS completed, sum(failed) AS failed, sum(rolled_back) AS rolled_back
         FROM finished, span GROUP BY 1
       )
       SELECT * FROM placed WHERE completed > 0 OR failed > 0 OR rolled_back > 0 ORDER BY at`,
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
