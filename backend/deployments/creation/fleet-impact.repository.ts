import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { OverlappingDeployment } from '../../contract/admin-api.ts';
import type { Deployment, DeviceGroup } from '../model/deployment.types.ts';
import {
  matchingDevices,
  type DeviceSelection,
  type SqlPart,
} from '../../targeting/matching-devices.sql.ts';
import { isRegistered } from '../../targeting/registered-device.sql.ts';
import type { FleetImpact } from '../model/target.ports.ts';
import { countGroups } from './target-selection.repository.ts';
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

  async unfinishedDevices(deployment: Deployment): Promise<DeviceGroup[]> {
    return countGroups(this.knex, UNFINISHED_DEVICES, keysOf(deployment));
  }

  async overlappingWithSelection(
    organizationId: string,
    selection: DeviceSelection,
  ): Promise<OverlappingDeployment[]> {
    const matching = matchingDevices(organizationId, selection);
    return this.#overlapping({
      sql: `SELECT d.id FROM edge_devices d WHERE ${matching.sql}`,
      bindings: { ...matching.bindings, deployment_id: null },
    });
  }

  async overlappingWith(deployment: Deployment): Promise<OverlappingDeployment[]> {
    return this.#overlapping({
      sql: `SELECT d.id FROM ${UNFINISHED_DEVICES}`,
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

/** FROM and WHERE of the devices `d` that have not finished in the deployment. */
const UNFINISHED_DEVICES = `ota_deployment_devices t
       JOIN edge_devices d ON d.id = t.device_id AND d.organization_id = :organization_id
       WHERE t.deployment_id = :deployment_id AND t.status IN ${UNFINISHED}`;

function keysOf({ id, organizationId }: Deployment) {
  return { deployment_id: id, organization_id: organizationId };
}
