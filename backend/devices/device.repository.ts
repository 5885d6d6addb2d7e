import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Components } from '../contract/device-api.ts';
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
  ReportedProfile,
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

type PollRow = {
  device_id: string;
  differs: boolean;
  firmware_version: string | null;
  has_new_profile: boolean;
} & (OpenTargetRow | { deployment_id: null });

@injectable()
export class KnexDeviceRepository implements DeviceRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async lookUp(polling: PollingDevice[]): Promise<Map<string, DeviceRecord>> {
    const rows = await runPrepared<PollRow>(
      this.knex,
      'ota_polling_devices',
      `SELECT polling.device_id, differs.id IS NOT NULL AS differs, differs.firmware_version,
              profile.is_new IS NOT NULL AS has_new_profile, t.deployment_id, t.status, t.attempt, t.position, t.rollback_version,
              d.organization_id, d.status AS deployment_status, d.released_devices, d.created_at,
              d.target_version, offer.*
       FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[])
         AS polling (device_id, organization_id, version, protection, components)
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
       LEFT JOIN LATERAL (
         SELECT true AS is_new
         WHERE (polling.protection IS NOT NULL OR polling.components IS NOT NULL)
           AND NOT EXISTS (
             SELECT 1 FROM ota_devices known
             WHERE known.device_id = polling.device_id
               AND known.organization_id = polling.organization_id
               AND (polling.protection IS NULL OR known.protection = polling.protection)
               AND (polling.components IS NULL OR known.components = polling.components) OFFSET 0)
       ) profile ON true
       WHERE t.deployment_id IS NOT NULL OR differs.id IS NOT NULL OR profile.is_new`,
      [
        polling.map((one) => one.deviceId),
        polling.map((one) => one.organizationId),
        polling.map((one) => one.version),
        polling.map((one) => one.profile?.protection ?? null),
        polling.map((one) => asJson(one.profile?.components ?? null)),
      ],
      SHORT_QUERY_MS,
    );
    const records = new Map<string, DeviceRecord>();
    for (const row of rows) {
      const device = records.get(row.device_id) ?? { open: [], hasNewProfile: false };
      records.set(row.device_id, device);
      if (row.differs) device.recorded = { version: row.firmware_version };
      if (row.has_new_profile) device.hasNewProfile = true;
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

  async recordProfiles(tx: Transaction, profiles: ReportedProfile[]): Promise<void> {
    // Of a device that has moved, nothing is kept that it reported to another organization.
    const keepUnreported = (column: string) =>
      `${column} = CASE WHEN known.organization_id = excluded.organization_id
           THEN coalesce(excluded.${column}, known.${column}) ELSE excluded.${column} END`;
    await asKnex(tx).raw(
      `INSERT INTO ota_devices AS known (device_id, organization_id, protection, components)
       SELECT device.id, device.organization_id, reported.protection, reported.components
       FROM unnest(CAST(:devices AS uuid[]), CAST(:organizations AS uuid[]), CAST(:protections AS text[]),
                   CAST(:components AS jsonb[])) AS reported (device_id, organization_id, protection, components)
       JOIN edge_devices device
         ON device.id = reported.device_id AND device.organization_id = reported.organization_id
       -- One order, so that two transactions cannot lock rows in opposite orders.
       ORDER BY device.id
       ON CONFLICT (device_id) DO UPDATE SET organization_id = excluded.organization_id,
         ${keepUnreported('protection')}, ${keepUnreported('components')}, updated_at = now()`,
      {
        devices: profiles.map((one) => one.deviceId),
        organizations: profiles.map((one) => one.organizationId),
        protections: profiles.map((one) => one.protection),
        components: profiles.map((one) => asJson(one.components)),
      },
    );
  }
}

function asJson(components: Components | null): string | null {
  return components === null ? null : JSON.stringify(components);
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
