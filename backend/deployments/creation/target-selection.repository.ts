import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import {
  devicesOfAnyVersion,
  devicesWithProduct,
  matchingDevices,
  type DeviceSelection,
  type MatchingDevices,
  type SqlPart,
} from '../../targeting/matching-devices.sql.ts';
import type { ProductFilter, TargetSelection } from '../model/target.ports.ts';
import type { CanaryKind, CanaryKinds, DeviceGroup } from '../model/deployment.types.ts';
import { Database } from '../../database/database.ts';
import { canaryKinds, canaryOrder } from './canary-order.sql.ts';

/** Enough to sort a million devices in memory; applies until the commit. */
const SORTING_MEMORY = '128MB';

@injectable()
export class KnexTargetSelection implements TargetSelection {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    selection: DeviceSelection,
    stratifyBy: string[] | null,
  ): Promise<number> {
    const matching = matchingDevices(organizationId, selection);
    const knex = asKnex(tx);
    await knex.raw(`SET LOCAL work_mem = '${SORTING_MEMORY}'`);
    const devices =
      stratifyBy === null ? stableOrder(matching) : canaryOrder(matching, stratifyBy, STABLE_HASH);
    // Inserting in the order of device ids keeps two of the three indexes growing page by page. The order of the rollout
    // is in `position` only.
    const result = await knex.raw<{ rowCount: number }>(
      `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, position, previous_version,
         device_name, device_type)
       SELECT :deployment_id, id, 'pending', position, installed, device_name, device_type
       FROM (${devices.sql}) device ORDER BY id`,
      { ...devices.bindings, deployment_id: deploymentId },
    );
    return result.rowCount;
  }

  async refreshStatistics(): Promise<void> {
    await this.knex.raw('ANALYZE ota_deployment_devices');
  }

  async countDeviceGroups(
    organizationId: string,
    { filters, packageName }: ProductFilter,
  ): Promise<DeviceGroup[]> {
    const devices = devicesOfAnyVersion(organizationId, filters);
    const { from, installed } = devicesWithProduct(packageName);
    const { rows } = await this.knex.raw<{
      rows: {
        device_type: string | null;
        version: string | null;
        installed: string | null;
        count: string;
      }[];
    }>(
      `SELECT d.device_type, d.firmware_version AS version, ${installed} AS installed, count(*) AS count
       FROM ${from} WHERE ${devices.sql} GROUP BY 1, 2, 3`,
      { ...devices.bindings, package_name: packageName },
    );
    return rows.map((row) => ({
      deviceType: row.device_type,
      version: row.version,
      installed: row.installed,
      count: Number(row.count),
    }));
  }

  async countCanaryKinds(
    organizationId: string,
    selection: DeviceSelection,
    stratifyBy: string[],
  ): Promise<CanaryKinds> {
    const kinds = canaryKinds(matchingDevices(organizationId, selection), stratifyBy);
    const { rows } = await this.knex.raw<{ rows: KindRow[] }>(
      `${kinds.sql} ORDER BY priority`,
      kinds.bindings,
    );
    return toCanaryKinds(rows, stratifyBy);
  }

  async hasAttributes(): Promise<boolean> {
    const { rows } = await this.knex.raw<{ rows: unknown[] }>(
      `SELECT 1 FROM pg_attribute
       WHERE attrelid = to_regclass('edge_devices') AND attname = 'metadata' AND NOT attisdropped`,
    );
    return rows.length > 0;
  }
}

/** Of the deployment and the device `d`. */
const STABLE_HASH = 'uuid_hash_extended(d.id, hashtextextended(CAST(:deployment_id AS text), 0))';

/** The devices of a deployment, with their positions. */
function stableOrder({ from, installed, sql, bindings }: MatchingDevices): SqlPart {
  return {
    sql: `SELECT d.id, d.device_name, d.device_type, ${installed} AS installed,
                 row_number() OVER (ORDER BY ${STABLE_HASH}, d.id) - 1 AS position
          FROM ${from} WHERE ${sql}`,
    bindings,
  };
}

interface KindRow {
  kind: [type: string | null, version: string | null, ...attributes: (string | null)[]];
  count: string;
  online: string;
  total_count: string;
  total_online: string;
}

function toCanaryKinds(rows: KindRow[], stratifyBy: string[]): CanaryKinds {
  const kinds = rows.map(({ kind: [deviceType, version, ...values], count, online }) => ({
    deviceType,
    version,
    attributes: Object.fromEntries(stratifyBy.map((key, index) => [key, values[index] ?? null])),
    count: Number(count),
    online: Number(online),
  }));
  const count = Number(rows[0]?.total_count ?? 0) - sumBy(kinds, 'count');
  const online = Number(rows[0]?.total_online ?? 0) - sumBy(kinds, 'online');
  return { kinds, others: count > 0 ? { count, online } : null };
}

function sumBy(kinds: CanaryKind[], key: 'count' | 'online'): number {
  return kinds.reduce((sum, kind) => sum + kind[key], 0);
}
