import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { DevicePage } from '../contract/admin-api.ts';
import { likePattern } from '../database/like-pattern.ts';
import { isRegistered } from '../deployments/registered-device.sql.ts';
import { TOKENS } from '../tokens.ts';
import type { FleetQuery, FleetRepository } from './device.ports.ts';

interface DeviceRow {
  id: string;
  device_name: string;
  device_type: string | null;
  device_id: string | null;
  status: string | null;
  firmware_version: string | null;
  last_seen: Date | null;
}

@injectable()
export class KnexFleetRepository implements FleetRepository {
  readonly #knex: Knex;

  constructor(@inject(TOKENS.Knex) knex: Knex) {
    this.#knex = knex;
  }

  async page(organizationId: string, query: FleetQuery): Promise<DevicePage> {
    const [devices, types, versions] = await Promise.all([
      this.#devices(organizationId, query),
      this.#facet(organizationId, 'device_type'),
      this.#facet(organizationId, 'firmware_version'),
    ]);
    const last = devices.at(-1);
    return {
      devices: devices.map((row) => ({
        device_id: row.id,
        device_name: row.device_name,
        device_type: row.device_type,
        hardware_id: row.device_id,
        status: row.status,
        current_version: row.firmware_version,
        last_seen: row.last_seen?.toISOString() ?? null,
      })),
      next_cursor: last && devices.length === query.limit ? last.id : null,
      facets: {
        types: types.map(({ value, count }) => ({ device_type: value, count })),
        versions: versions.map(({ value, count }) => ({ version: value, count })),
      },
    };
  }

  async #devices(organizationId: string, query: FleetQuery): Promise<DeviceRow[]> {
    const devices = this.#knex<DeviceRow>('edge_devices')
      .select(
        'id',
        'device_name',
        'device_type',
        'device_id',
        'status',
        'firmware_version',
        'last_seen',
      )
      .where('organization_id', organizationId)
      .whereRaw(isRegistered('edge_devices'))
      .orderBy('id')
      .limit(query.limit);
    if (query.afterId !== undefined) void devices.andWhere('id', '>', query.afterId);
    if (query.deviceType !== undefined) void devices.andWhere('device_type', query.deviceType);
    if (query.status) void devices.andWhere('status', query.status);
    if (query.search) {
      const pattern = likePattern(query.search);
      void devices.andWhere((either) => {
        void either
          .whereILike('device_name', pattern)
          .orWhereILike('device_id', pattern)
          .orWhereILike('firmware_version', pattern);
      });
    }
    return devices;
  }

  async #facet(
    organizationId: string,
    column: 'device_type' | 'firmware_version',
  ): Promise<{ value: string | null; count: number }[]> {
    const { rows } = await this.#knex.raw<{ rows: { value: string | null; count: string }[] }>(
      `SELECT ${column} AS value, count(*) AS count FROM edge_devices
       WHERE organization_id = ? AND ${isRegistered('edge_devices')} GROUP BY 1 ORDER BY 2 DESC, 1`,
      [organizationId],
    );
    return rows.map((row) => ({ value: row.value, count: Number(row.count) }));
  }
}
