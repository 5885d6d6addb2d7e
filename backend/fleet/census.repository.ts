import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { asKnex } from '../database/knex-unit-of-work.ts';
import { installedVersion, joinProfile } from '../targeting/device-profile.sql.ts';
import { isRegistered } from '../targeting/registered-device.sql.ts';
import { LIMITS } from '../kernel/time-limits.ts';
import { UnitOfWork } from '../kernel/unit-of-work.ts';
import type { Census, CensusGroup, CensusRepository, CensusScope } from './census.ports.ts';
import { Database } from '../database/database.ts';

/** After a census, the next one waits for this many times its duration. */
const REST_FACTOR = 10;
const MIN_REST = `interval '10 seconds'`;

interface CensusSql {
  /** Devices of the scope, as `device`. */
  devices: string;
  /** The version to count, of a `device`. */
  version: string;
  /** Joins that add the wanted version of each `part` as `wanted.version`. */
  wanted: string;
  /** The version of the same product on the `part`. */
  installed: string;
}

/**
 * Searches the deployments of the organization for each device, newest first; most devices are found in the first one.
 * OFFSET 0 forces single lookups, and the array keeps the order.
 */
const OF_ORGANIZATION: CensusSql = {
  devices: 'edge_devices device WHERE device.organization_id = :organization_id',
  version: 'device.firmware_version',
  wanted: `CROSS JOIN (
      SELECT array_agg(d.id ORDER BY d.created_at DESC, d.id DESC) AS ids,
             array_agg(d.target_version ORDER BY d.created_at DESC, d.id DESC) AS versions,
             array_agg(d.package_name ORDER BY d.created_at DESC, d.id DESC) AS names
      FROM ota_deployments d
      WHERE d.organization_id = :organization_id AND d.status IN ('completed', 'in_progress', 'paused')
    ) wanting
    LEFT JOIN LATERAL (
      SELECT d.version, d.name FROM unnest(wanting.ids, wanting.versions, wanting.names) d (id, version, name)
      WHERE EXISTS (
        SELECT 1 FROM ota_deployment_devices t
        WHERE t.deployment_id = d.id AND t.device_id = part.id OFFSET 0)
      LIMIT 1
    ) wanted ON true
    LEFT JOIN LATERAL (
      SELECT known.components FROM ota_devices known
      WHERE wanted.name IS NOT NULL AND known.device_id = part.id
        AND known.organization_id = :organization_id OFFSET 0
    ) profile ON true`,
  installed: installedVersion('part', 'wanted.name'),
};
const OF_DEPLOYMENT: CensusSql = {
  devices: `ota_deployment_devices target JOIN edge_devices device ON device.id = target.device_id
      ${joinProfile('device')}
      WHERE target.deployment_id = :deployment_id AND device.organization_id = :organization_id`,
  version: installedVersion('device', 'CAST(:package_name AS text)'),
  wanted: 'CROSS JOIN (SELECT CAST(:wanted AS text) AS version) wanted',
  installed: 'part.firmware_version',
};

@injectable()
export class KnexCensusRepository implements CensusRepository {
  constructor(
    @inject(Database) private readonly knex: Knex,
    @inject(UnitOfWork) private readonly work: UnitOfWork,
  ) {}

  async countUpTo(scope: CensusScope, limit: number): Promise<Census | null> {
    const census = await count(this.knex, scope, limit + 1);
    return census.groups.reduce((sum, { devices }) => sum + devices, 0) > limit ? null : census;
  }

  async countAll(scope: CensusScope, signal: AbortSignal): Promise<Census> {
    return this.work.run(async (tx) => {
      const knex = asKnex(tx);
      // One processor is enough: the others are needed for requests.
      const { rows } = await knex.raw<{ rows: { pid: number }[] }>(
        `SELECT pg_backend_pid() AS pid, set_config('max_parallel_workers_per_gather', '0', true)`,
      );
      const cancel = () => {
        this.knex.raw('SELECT pg_cancel_backend(?)', [rows[0]?.pid ?? 0]).catch(() => undefined);
      };
      signal.throwIfAborted();
      signal.addEventListener('abort', cancel);
      try {
        return await count(knex, scope, null);
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    }, LIMITS.census);
  }

  async findLatest(scope: CensusScope): Promise<Census | null> {
    const row = await this.#rowOf(scope)
      .whereNotNull('counted_at')
      .first<{ counted_at: Date; counts: CensusGroup[] } | undefined>('counted_at', 'counts');
    return row ? { countedAt: row.counted_at, groups: row.counts } : null;
  }

  async claim(scope: CensusScope): Promise<boolean> {
    const { rows } = await this.knex.raw<{ rows: unknown[] }>(
      `INSERT INTO ota_censuses AS c (organization_id, deployment_id, started_at)
       VALUES (:organization_id, :deployment_id, now())
       ON CONFLICT (organization_id, coalesce(deployment_id, organization_id)) DO UPDATE
       SET started_at = now()
       WHERE now() > CASE WHEN c.counted_at >= c.started_at
         THEN c.counted_at + greatest(${MIN_REST}, ${REST_FACTOR} * (c.counted_at - c.started_at))
         ELSE c.started_at + make_interval(secs => ${LIMITS.census.statementMs / 1_000}) END
       RETURNING 1`,
      keyOf(scope),
    );
    return rows.length > 0;
  }

  async save(scope: CensusScope, census: Census): Promise<void> {
    await this.#rowOf(scope).update({
      counted_at: this.knex.fn.now(),
      counts: JSON.stringify(census.groups),
    });
  }

  #rowOf(scope: CensusScope): Knex.QueryBuilder {
    return this.knex('ota_censuses')
      .where('organization_id', scope.organizationId)
      .whereRaw('coalesce(deployment_id, organization_id) = ?', [
        scope.deployment?.id ?? scope.organizationId,
      ]);
  }
}

/** @param limit maximum number of devices; `null`: all */
async function count(knex: Knex, scope: CensusScope, limit: number | null): Promise<Census> {
  const sql = scope.deployment ? OF_DEPLOYMENT : OF_ORGANIZATION;
  const { rows } = await knex.raw<{ rows: (CensusGroup & { at: Date })[] }>(
    `SELECT now() AS at, c.* FROM (SELECT 1) once LEFT JOIN (
       SELECT part.device_type AS "deviceType", part.firmware_version AS version, wanted.version AS wanted,
              ${sql.installed} AS installed, count(*)::int AS devices
       FROM (
         SELECT device.id, device.device_type, ${sql.version} AS firmware_version FROM ${sql.devices}
           AND ${isRegistered('device')} ${limit === null ? '' : 'LIMIT :limit'}
       ) part ${sql.wanted}
       GROUP BY 1, 2, 3, 4
     ) c ON true`,
    {
      ...keyOf(scope),
      wanted: scope.deployment?.targetVersion ?? null,
      package_name: scope.deployment?.packageName ?? null,
      limit,
    },
  );
  return {
    countedAt: rows[0]?.at ?? new Date(),
    groups: rows.flatMap(({ at: _, ...group }) => (group.devices === null ? [] : [group])),
  };
}

function keyOf(scope: CensusScope): { organization_id: string; deployment_id: string | null } {
  return {
    organization_id: scope.organizationId,
    deployment_id: scope.deployment?.id ?? null,
  };
}
