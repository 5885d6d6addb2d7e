import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';
import { asKnex } from '../database/knex-unit-of-work.ts';
import { runPrepared } from '../database/prepared.ts';
import { SHORT_QUERY_MS } from '../kernel/time-limits.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type {
  PollingDevice,
  DeviceRepository,
  DeviceRecord,
  OfferedTarget,
  ExternalVersionChange,
} from './device.ports.ts';
import { Database } from '../database/database.ts';

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

type PollRow = { device_id: string; differs: boolean; firmware_version: string | null } & (
  OpenTargetRow | { deployment_id: null }
);

@injectable()
export class KnexDeviceRepository implements DeviceRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async lookUp(polling: PollingDevice[]): Promise<Map<string, DeviceRecord>> {
    const rows = await runPrepared<PollRow>(
      this.knex,
      'ota_polling_devices',
      `SELECT polling.device_id, differs.id IS NOT NULL AS differs, differs.firmware_version,
              t.deployment_id, t.status, t.attempt, t.position, t.rollback_version,
              d.organization_id, d.status AS deployment_status, d.released_devices, d.created_at,
              d.target_version, offer.*
       FROM unnest($1::uuid[], $2::text[]) AS polling (device_id, version)
       -- OFFSET 0 forces one index lookup per device. Otherwise the planner may read the whole table when it
       -- has just grown by a million rows and its statistics are out of date.
       LEFT JOIN LATERAL (
         SELECT * FROM ota_deployment_devices
         WHERE device_id = polling.device_id
           AND (status IN ('pending', 'downloading', 'installing', 'verifying')
                OR rollback_version IS NOT NULL)
         OFFSET 0
       ) t ON true
       LEFT JOIN ota_deployments d ON d.id = t.deployment_id
       -- Read the long texts only for released targets; most targets are not released yet.
       LEFT JOIN LATERAL (
         SELECT d.metadata->>'update_package_url' AS update_package_url,
                d.metadata->>'checksum' AS checksum, d.metadata->>'release_notes' AS release_notes,
                d.manifest, d.signature
         WHERE d.status = 'in_progress' AND t.position < d.released_devices
       ) offer ON true
       LEFT JOIN LATERAL (
         SELECT id, firmware_version FROM edge_devices
         WHERE polling.version IS NOT NULL
           AND id = polling.device_id AND firmware_version IS DISTINCT FROM polling.version OFFSET 0
       ) differs ON true
       WHERE t.deployment_id IS NOT NULL OR differs.id IS NOT NULL`,
      [polling.map((one) => one.deviceId), polling.map((one) => one.version)],
      SHORT_QUERY_MS,
    );
    const records = new Map<string, DeviceRecord>();
    for (const row of rows) {
      const device = records.get(row.device_id) ?? { open: [] };
      records.set(row.device_id, device);
      if (row.differs) device.recorded = { version: row.firmware_version };
      if (row.deployment_id !== null) device.open.push(toOfferedTarget(row));
    }
    return records;
  }

  async recordVersions(
    tx: Transaction,
    changes: ExternalVersionChange[],
  ): Promise<(ExternalVersionChange & { deploymentId: string | null })[]> {
    const { rows } = await asKnex(tx).raw<{
      rows: (ExternalVersionChange & { deploymentId: string | null })[];
    }>(
      `UPDATE edge_devices device SET firmware_version = change.reported
       FROM unnest(CAST(:devices AS uuid[]), CAST(:organizations AS uuid[]), CAST(:recorded AS text[]),
                   CAST(:reported AS text[])) AS change (device_id, organization_id, recorded, reported)
       WHERE device.id = change.device_id AND device.organization_id = change.organization_id
         AND device.firmware_version IS NOT DISTINCT FROM change.recorded
       RETURNING device.id AS "deviceId", change.organization_id AS "organizationId", change.recorded, change.reported,
         (SELECT d.id FROM ota_deployments d
          CROSS JOIN LATERAL (
            SELECT status FROM ota_deployment_devices t
            WHERE t.deployment_id = d.id AND t.device_id = device.id OFFSET 0
          ) target
          WHERE d.organization_id = change.organization_id
            AND target.status IN ('completed', 'failed', 'rolled_back')
          ORDER BY d.created_at DESC, d.id DESC LIMIT 1) AS "deploymentId"`,
      {
        devices: changes.map((one) => one.deviceId),
        organizations: changes.map((one) => one.organizationId),
        recorded: changes.map((one) => one.recorded),
        reported: changes.map((one) => one.reported),
      },
    );
    return rows;
  }
}

function toOfferedTarget(row: OpenTargetRow): OfferedTarget {
  return {
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
  };
}
