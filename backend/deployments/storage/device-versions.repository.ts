import { injectable } from 'inversify';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type { DeviceVersions, InstalledVersion } from '../model/target.ports.ts';
import { completedNewer } from './target.sql.ts';

@injectable()
export class KnexDeviceVersions implements DeviceVersions {
  async record(tx: Transaction, versions: InstalledVersion[]): Promise<void> {
    if (versions.length === 0) return;
    await runPrepared(
      asKnex(tx),
      'ota_record_versions',
      `UPDATE edge_devices device SET firmware_version = v.version
       FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[])
         AS v (deployment_id, device_id, version, on_request)
       JOIN ota_deployments d ON d.id = v.deployment_id
       WHERE device.id = v.device_id AND device.organization_id = d.organization_id
         AND (v.on_request OR NOT ${completedNewer('v.device_id', 'd')})`,
      [
        versions.map((entry) => entry.deploymentId),
        versions.map((entry) => entry.deviceId),
        versions.map((entry) => entry.version),
        versions.map((entry) => entry.onRequest),
      ],
    );
  }

  async current(tx: Transaction, deviceIds: string[]): Promise<Map<string, string | null>> {
    const rows = await runPrepared<{ id: string; firmware_version: string | null }>(
      asKnex(tx),
      'ota_current_versions',
      'SELECT id, firmware_version FROM edge_devices WHERE id = ANY($1::uuid[])',
      [deviceIds],
    );
    return new Map(rows.map((row) => [row.id, row.firmware_version]));
  }
}
