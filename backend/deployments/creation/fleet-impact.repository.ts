import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { OverlappingDeployment } from '../../contract/admin-api.ts';
import type { Protection } from '../../contract/states.ts';
import type { Deployment, ProtectedGroup } from '../model/deployment.types.ts';
import { installedVersion, joinProfile } from '../../targeting/device-profile.sql.ts';
import {
  devicesOfAnyVersion,
  matchingDevices,
  type DeviceSelection,
  type SqlPart,
} from '../../targeting/matching-devices.sql.ts';
import { isRegistered } from '../../targeting/registered-device.sql.ts';
import type { FleetImpact, ProductFilter } from '../model/target.ports.ts';
import { UNFINISHED } from '../storage/target.sql.ts';
import { Database } from '../../database/database.ts';

/** Overlapping deployments that are listed, those with the most common devices first. */
const MAX_OVERLAPS = 10;

@injectable()
export class KnexFleetImpact implements FleetImpact {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async fleetSize(organizationId: string): Promise<number> {
    const { rows } = await this.knex.raw<{ rows: { devices: string }[] }>(
      `SELECT count(*) AS devices FROM edge_devices d
       WHERE d.organization_id = :organization_id AND ${isRegistered('d')}`,
      { organization_id: organizationId },
    );
    return Number(rows[0]?.devices ?? 0);
  }

  async matchingDevices(
    organizationId: string,
    { filters, packageName }: ProductFilter,
  ): Promise<ProtectedGroup[]> {
    const { sql, bindings } = devicesOfAnyVersion(organizationId, filters);
    return this.#countGroups({ from: 'edge_devices d', where: sql }, packageName, bindings);
  }

  async unfinishedDevices(deployment: Deployment): Promise<ProtectedGroup[]> {
    return this.#countGroups(UNFINISHED_DEVICES, deployment.packageName, keysOf(deployment));
  }

  async #countGroups(
    { from, where }: DeviceSource,
    packageName: string | null,
    bindings: SqlPart['bindings'],
  ): Promise<ProtectedGroup[]> {
    const { rows } = await this.knex.raw<{
      rows: {
        device_type: string | null;
        version: string | null;
        installed: string | null;
        protection: Protection | null;
        count: string;
      }[];
    }>(
      `SELECT d.device_type, d.firmware_version AS version, profile.protection,
              ${installedVersion('d', 'CAST(:package_name AS text)')} AS installed, count(*) AS count
       FROM ${from} ${joinProfile('d')}
       WHERE ${where} GROUP BY 1, 2, 3, 4`,
      { ...bindings, package_name: packageName },
    );
    return rows.map((row) => ({
      deviceType: row.device_type,
      version: row.version,
      installed: row.installed,
      protection: row.protection,
      count: Number(row.count),
    }));
  }

  async overlappingWithSelection(
    organizationId: string,
    selection: DeviceSelection,
  ): Promise<OverlappingDeployment[]> {
    const matching = matchingDevices(organizationId, selection);
    return this.#overlapping({
      sql: `SELECT d.id FROM ${matching.from} WHERE ${matching.sql}`,
      bindings: { ...matching.bindings, deployment_id: null },
    });
  }

  async overlappingWith(deployment: Deployment): Promise<OverlappingDeployment[]> {
    return this.#overlapping({
      sql: `SELECT d.id FROM ${UNFINISHED_DEVICES.from} WHERE ${UNFINISHED_DEVICES.where}`,
      bindings: keysOf(deployment),
    });
  }

  async #overlapping(devices: SqlPart): Promise<OverlappingDeployment[]> {
    const { rows } = await this.knex.raw<{
      rows: (Omit<OverlappingDeployment, 'devices'> & { devices: string })[];
    }>(
      `SELECT other.id AS deployment_id, other.deployment_name, other.target_version, other.status,
              count(*) AS devices
       FROM ota_deployments other
       JOIN ota_deployment_devices shared ON shared.deployment_id = other.id AND shared.status IN ${UNFINISHED}
       WHERE other.organization_id = :organization_id AND other.status IN ('in_progress', 'paused')
         AND other.id IS DISTINCT FROM CAST(:deployment_id AS uuid) AND shared.device_id IN (${devices.sql})
       GROUP BY other.id ORDER BY count(*) DESC, other.created_at DESC LIMIT ${MAX_OVERLAPS}`,
      devices.bindings,
    );
    return rows.map((row) => ({ ...row, devices: Number(row.devices) }));
  }
}

/** Where the devices `d` of a statement come from. */
interface DeviceSource {
  from: string;
  where: string;
}

/** The devices `d` that have not finished in the deployment. */
const UNFINISHED_DEVICES: DeviceSource = {
  from: `ota_deployment_devices t
       JOIN edge_devices d ON d.id = t.device_id AND d.organization_id = :organization_id`,
  where: `t.deployment_id = :deployment_id AND t.status IN ${UNFINISHED}`,
};

function keysOf({ id, organizationId }: Deployment) {
  return { deployment_id: id, organization_id: organizationId };
}
