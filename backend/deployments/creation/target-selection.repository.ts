import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import {
  devicesOfAnyVersion,
  devicesWithProduct,
  matchingDevices,
  type DeviceSelection,
} from '../../targeting/matching-devices.sql.ts';
import type { ProductFilter, TargetSelection } from '../model/target.ports.ts';
import type { DeviceGroup } from '../model/deployment.types.ts';
import { Database } from '../../database/database.ts';

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
    onlineFirst: boolean,
  ): Promise<number> {
    const matching = matchingDevices(organizationId, selection);
    const knex = asKnex(tx);
    await knex.raw(`SET LOCAL work_mem = '${SORTING_MEMORY}'`);
    // Inserting in the order of device ids keeps two of the three indexes growing page by page. The order of the rollout
    // is in `position` only.
    const result = await knex.raw<{ rowCount: number }>(
      `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, position, previous_version,
         device_name, device_type)
       SELECT :deployment_id, d.id, 'pending', row_number() OVER (
                ORDER BY ${onlineFirst ? `d.status = 'online' DESC NULLS LAST,` : ''}
                  uuid_hash_extended(d.id, hashtextextended(CAST(:deployment_id AS text), 0)), d.id
              ) - 1, ${matching.installed}, d.device_name, d.device_type
       FROM ${matching.from} WHERE ${matching.sql}
       ORDER BY d.id`,
      { ...matching.bindings, deployment_id: deploymentId },
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
}
