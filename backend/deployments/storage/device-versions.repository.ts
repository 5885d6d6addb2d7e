import { injectable } from 'inversify';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import { runPrepared } from '../../database/prepared.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import {
  hasComponents,
  installedVersion,
  joinProfile,
} from '../../targeting/device-profile.sql.ts';
import type { TargetKey } from '../model/deployment.types.ts';
import type { DeviceVersions, InstalledVersion } from '../model/target.ports.ts';
import { completedNewer } from './target.sql.ts';

@injectable()
export class KnexDeviceVersions implements DeviceVersions {
  async record(tx: Transaction, versions: InstalledVersion[]): Promise<void> {
    if (versions.length === 0) return;
    const values = [
      versions.map((entry) => entry.deploymentId),
      versions.map((entry) => entry.deviceId),
      versions.map((entry) => entry.version),
      versions.map((entry) => entry.onRequest),
      versions.map((entry) => entry.component),
    ];
    await this.#recordMainProducts(tx, values);
    await this.#recordComponents(tx, values);
  }

  async #recordMainProducts(tx: Transaction, values: unknown[]): Promise<void> {
    await runPrepared(
      asKnex(tx),
      'ota_record_versions',
      `UPDATE edge_devices device SET firmware_version = v.version
       FROM ${INSTALLED}
       JOIN ota_deployments d ON d.id = v.deployment_id
       WHERE device.id = v.device_id AND device.organization_id = d.organization_id
         AND v.component IS NULL AND ${IS_CURRENT}`,
      values,
    );
  }

  /** Until a device has reported components, the version of its main product is not recorded as one of them. */
  async #recordComponents(tx: Transaction, values: unknown[]): Promise<void> {
    await runPrepared(
      asKnex(tx),
      'ota_record_components',
      `INSERT INTO ota_devices AS known (device_id, organization_id, components)
       SELECT device.id, device.organization_id,
              jsonb_object_agg(coalesce(d.package_name, v.component), v.version)
       FROM ${INSTALLED}
       JOIN ota_deployments d ON d.id = v.deployment_id
       JOIN edge_devices device ON device.id = v.device_id AND device.organization_id = d.organization_id
       ${joinProfile('device')}
       WHERE (v.component IS NOT NULL OR (d.package_name IS NOT NULL AND ${hasComponents()}))
         AND ${IS_CURRENT}
       GROUP BY device.id, device.organization_id
       -- One order, so that two transactions cannot lock rows in opposite orders.
       ORDER BY device.id
       ON CONFLICT (device_id) DO UPDATE SET
         components = CASE WHEN known.organization_id = excluded.organization_id
           THEN coalesce(known.components, '{}') || excluded.components ELSE excluded.components END,
         protection = CASE WHEN known.organization_id = excluded.organization_id THEN known.protection END,
         organization_id = excluded.organization_id, updated_at = now()`,
      values,
    );
  }

  async current(
    tx: Transaction,
    targets: TargetKey[],
  ): Promise<(TargetKey & { version: string | null })[]> {
    return runPrepared<TargetKey & { version: string | null }>(
      asKnex(tx),
      'ota_current_versions',
      `SELECT k.deployment_id AS "deploymentId", k.device_id AS "deviceId",
              ${installedVersion('device', 'd.package_name')} AS version
       FROM unnest($1::uuid[], $2::uuid[]) AS k (deployment_id, device_id)
       JOIN ota_deployments d ON d.id = k.deployment_id
       JOIN edge_devices device ON device.id = k.device_id AND device.organization_id = d.organization_id
       ${joinProfile('device')}`,
      [targets.map((key) => key.deploymentId), targets.map((key) => key.deviceId)],
    );
  }
}

/** The installed versions `v`, from parameters. */
const INSTALLED = `unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[], $5::text[])
         AS v (deployment_id, device_id, version, on_request, component)`;

/** No newer deployment `d` of the product has changed the version since; a requested rollback may undo one. */
const IS_CURRENT = `(v.on_request OR NOT ${completedNewer('v.device_id', 'd')})`;
