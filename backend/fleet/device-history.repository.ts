import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { Database } from '../database/database.ts';
import { toDeployment, type DeploymentRow } from '../deployments/storage/deployment.row.ts';
import {
  MAX_DEPLOYMENTS_SEARCHED,
  type DeviceDeployments,
  type DeviceHistoryRepository,
} from './device-history.ports.ts';

type FoundRow = DeploymentRow & {
  /** The last deployment of the search, whether or not the device is part of it. */
  is_last_searched: boolean;
  is_part: boolean;
};

@injectable()
export class KnexDeviceHistoryRepository implements DeviceHistoryRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  /**
   * Looks each target up by its primary key. An index of targets by device would make the creation of large deployments
   * slower.
   */
  async deploymentsOf(
    organizationId: string,
    deviceId: string,
    after: string | null,
    limit: number,
  ): Promise<DeviceDeployments> {
    const { rows } = await this.knex.raw<{ rows: FoundRow[] }>(
      `WITH searched AS (
         SELECT d.id, d.created_at FROM ota_deployments d
         WHERE d.organization_id = :organization_id AND ${after === null ? 'true' : AFTER}
         ORDER BY d.created_at DESC, d.id DESC LIMIT :searched
       ), found AS (
         SELECT searched.id FROM searched
         -- OFFSET 0 forces single lookups, newest deployment first.
         CROSS JOIN LATERAL (
           SELECT 1 FROM ota_deployment_devices t
           WHERE t.deployment_id = searched.id AND t.device_id = :device_id OFFSET 0
         ) target
         ORDER BY searched.created_at DESC, searched.id DESC LIMIT :limit
       ), last AS (
         SELECT id FROM searched
         ORDER BY created_at, id LIMIT CASE WHEN (SELECT count(*) FROM searched) = :searched THEN 1 ELSE 0 END
       )
       SELECT d.*, found.id IS NOT NULL AS is_part, last.id IS NOT NULL AS is_last_searched
       FROM found FULL JOIN last ON last.id = found.id
       CROSS JOIN LATERAL (
         SELECT * FROM ota_deployments WHERE id = coalesce(found.id, last.id) OFFSET 0
       ) d
       ORDER BY d.created_at DESC, d.id DESC`,
      {
        organization_id: organizationId,
        device_id: deviceId,
        after,
        limit,
        searched: MAX_DEPLOYMENTS_SEARCHED,
      },
    );
    const found = rows.filter((row) => row.is_part);
    const next = found.length === limit ? found.at(-1) : rows.find((row) => row.is_last_searched);
    return { deployments: found.map(toDeployment), next: next?.id ?? null };
  }
}

const AFTER = `(d.created_at, d.id) < (
           SELECT earlier.created_at, earlier.id FROM ota_deployments earlier
           WHERE earlier.id = :after AND earlier.organization_id = :organization_id)`;
