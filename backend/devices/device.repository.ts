import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';
import { prepared } from '../database/prepared.ts';
import { BRIEF_MS } from '../kernel/time-limits.ts';
import { TOKENS } from '../tokens.ts';
import type { DeviceRepository, OfferedTarget } from './device.ports.ts';

interface OpenTargetRow {
  device_id: string;
  deployment_id: string;
  status: TargetStatus;
  attempt: number;
  position: number;
  rollback_version: string | null;
  organization_id: string;
  deployment_status: DeploymentStatus;
  released_devices: number;
  created_at: Date;
  target_version: string;
  update_package_url: string | null;
  checksum: string | null;
  release_notes: string | null;
  manifest: string | null;
  signature: string | null;
}

@injectable()
export class KnexDeviceRepository implements DeviceRepository {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async findOpenTargets(deviceIds: string[]): Promise<OfferedTarget[]> {
    const rows = await prepared<OpenTargetRow>(
      this.#knex,
      'ota_open_targets',
      `SELECT t.device_id, t.deployment_id, t.status, t.attempt, t.position, t.rollback_version,
              d.organization_id, d.status AS deployment_status, d.released_devices, d.created_at,
              d.target_version, d.metadata->>'update_package_url' AS update_package_url,
              d.metadata->>'checksum' AS checksum, d.metadata->>'release_notes' AS release_notes,
              d.manifest, d.signature
       FROM unnest($1::uuid[]) AS asking (device_id)
       -- One index lookup for each device: OFFSET 0 keeps the planner from reading the whole table
       -- when it has just grown by a million rows that nobody has counted yet.
       CROSS JOIN LATERAL (
         SELECT * FROM ota_deployment_devices
         WHERE device_id = asking.device_id
           AND (status IN ('pending', 'downloading', 'installing', 'verifying')
                OR rollback_version IS NOT NULL)
         OFFSET 0
       ) t
       JOIN ota_deployments d ON d.id = t.deployment_id`,
      [deviceIds],
      BRIEF_MS,
    );
    return rows.map((row) => ({
      deviceId: row.device_id,
      deploymentId: row.deployment_id,
      status: row.status,
      attempt: row.attempt,
      position: row.position,
      rollbackVersion: row.rollback_version,
      organizationId: row.organization_id,
      deploymentStatus: row.deployment_status,
      releasedDevices: row.released_devices,
      createdAt: row.created_at,
      targetVersion: row.target_version,
      updatePackageUrl: row.update_package_url ?? '',
      checksum: row.checksum ?? '',
      releaseNotes: row.release_notes ?? '',
      manifest: row.manifest,
      signature: row.signature,
    }));
  }
}
