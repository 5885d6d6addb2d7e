import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { Database } from '../../database/database.ts';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type { GoneReason, TargetKey } from '../model/deployment.types.ts';
import type {
  DeviceTable,
  GoneTargetPage,
  SweepTarget,
  SweepTargets,
} from '../model/target.ports.ts';
import { UNFINISHED, goneReason } from '../storage/target.sql.ts';

/** The target `t` is unfinished or has a requested rollback; the same condition as that of an index. */
const IS_OPEN = `(t.status IN ${UNFINISHED}
           OR t.rollback_version IS NOT NULL)`;

/** Pending targets `t` with their batch `b` and their deployment `d`. */
const PENDING_TARGETS = `ota_deployments d
       JOIN ota_deployment_batches b ON b.deployment_id = d.id
       JOIN ota_deployment_devices t ON t.deployment_id = d.id AND t.status = 'pending'
         AND t.position >= b.first_position AND t.position < b.first_position + b.size`;

@injectable()
export class KnexSweepTargets implements SweepTargets {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async findOverdue(limit: number): Promise<SweepTarget[]> {
    const { rows } = await this.knex.raw<{ rows: SweepRow[] }>(
      `SELECT t.deployment_id, t.device_id, ${goneReason('device', 'd')} AS gone_reason
       FROM ota_deployment_devices t JOIN ota_deployments d ON d.id = t.deployment_id
       LEFT JOIN edge_devices device ON device.id = t.device_id
       WHERE t.status IN ('downloading', 'installing', 'verifying')
         AND t.last_report_at < now()
           - make_interval(mins => coalesce((d.policy->>'device_timeout_minutes')::int, 60))
       ORDER BY t.last_report_at LIMIT :limit`,
      { limit },
    );
    return rows.map(toSweepTarget);
  }

  async findNotPickedUp(limit: number): Promise<SweepTarget[]> {
    const { rows } = await this.knex.raw<{ rows: SweepRow[] }>(
      `SELECT t.deployment_id, t.device_id, ${goneReason('device', 'd')} AS gone_reason
       FROM ${PENDING_TARGETS}
       LEFT JOIN edge_devices device ON device.id = t.device_id
       WHERE d.status = 'in_progress' AND b.pending > 0 AND b.released_at IS NOT NULL
         AND coalesce(d.policy->>'pickup_timeout_hours',
               CASE WHEN d.rollout_strategy = 'rolling' AND NOT d.policy ? 'pickup_timeout_hours'
                    THEN '24' END) IS NOT NULL
         AND greatest(b.released_at, d.resumed_at) < now() - make_interval(secs =>
               3600 * coalesce((d.policy->>'pickup_timeout_hours')::numeric, 24)::double precision)
       ORDER BY t.deployment_id, t.position LIMIT :limit`.replace(
        'd.policy ?',
        String.raw`d.policy \?`,
      ),
      { limit },
    );
    return rows.map(toSweepTarget);
  }

  async findGone(from: TargetKey | null, limit: number): Promise<GoneTargetPage> {
    const { rows } = await this.knex.raw<{ rows: (SweepRow & { scanned: string })[] }>(
      `WITH scanned AS MATERIALIZED (
         SELECT t.device_id, t.deployment_id FROM ota_deployment_devices t
         WHERE ${IS_OPEN} ${from ? 'AND (t.device_id, t.deployment_id) > (:device_id, :deployment_id)' : ''}
         ORDER BY t.device_id, t.deployment_id LIMIT :limit
       ), last AS (
         SELECT device_id, deployment_id, (SELECT count(*) FROM scanned) AS scanned FROM scanned
         ORDER BY device_id DESC, deployment_id DESC LIMIT 1
       ), checked AS (
         SELECT s.deployment_id, s.device_id, ${goneReason('device', 'd')} AS gone_reason
         FROM scanned s JOIN ota_deployments d ON d.id = s.deployment_id
         LEFT JOIN edge_devices device ON device.id = s.device_id
       )
       SELECT deployment_id, device_id, gone_reason, NULL AS scanned FROM checked WHERE gone_reason IS NOT NULL
       UNION ALL SELECT deployment_id, device_id, NULL, scanned FROM last`,
      { limit, device_id: from?.deviceId ?? null, deployment_id: from?.deploymentId ?? null },
    );
    const last = rows.find((row) => row.scanned !== null);
    return {
      targets: rows.flatMap((row) =>
        row.gone_reason ? [{ key: toKey(row), goneReason: row.gone_reason }] : [],
      ),
      next: last && Number(last.scanned) === limit ? toKey(last) : null,
    };
  }

  async deleteRowsOfRemoved(
    tx: Transaction,
    table: DeviceTable,
    from: string | null,
    limit: number,
  ): Promise<string | null> {
    const { rows } = await asKnex(tx).raw<{ rows: { last: string }[] }>(
      `WITH scanned AS MATERIALIZED (
         SELECT device_id FROM ${table} ${from === null ? '' : 'WHERE device_id > :from'}
         ORDER BY device_id LIMIT :limit
       ), deleted AS (
         DELETE FROM ${table} stored USING scanned
         WHERE stored.device_id = scanned.device_id AND NOT EXISTS (
           SELECT 1 FROM edge_devices device WHERE device.id = scanned.device_id OFFSET 0)
       )
       SELECT device_id AS last FROM scanned ORDER BY device_id OFFSET :limit - 1 LIMIT 1`,
      { from, limit },
    );
    return rows[0]?.last ?? null;
  }
}

interface SweepRow {
  deployment_id: string;
  device_id: string;
  gone_reason: GoneReason | null;
}

function toSweepTarget(row: SweepRow): SweepTarget {
  return { key: toKey(row), goneReason: row.gone_reason };
}

function toKey(row: { deployment_id: string; device_id: string }): TargetKey {
  return { deploymentId: row.deployment_id, deviceId: row.device_id };
}
