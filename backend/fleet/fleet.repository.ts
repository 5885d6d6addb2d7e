import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Components } from '../contract/device-api.ts';
import type { Protection } from '../contract/states.ts';
import { likePattern, prefixPattern } from '../database/like-pattern.ts';
import { joinProfile } from '../targeting/device-profile.sql.ts';
import { findDevicesByPrefix, FEW_DEVICES } from '../targeting/device-search.sql.ts';
import { isRegistered } from '../targeting/registered-device.sql.ts';
import { readAttributes } from './device-attributes.ts';
import type { DeviceFacts, DeviceListPage, FleetQuery, FleetRepository } from './fleet.ports.ts';
import { Database } from '../database/database.ts';
import type { DeviceView } from '../contract/admin-api.ts';

/** Up to this number of devices, all of them are searched, and text matches anywhere in a name. */
const SMALL_FLEET = 20_000;

interface DeviceRow {
  id: string;
  device_name: string;
  device_type: string | null;
  device_id: string | null;
  status: string | null;
  firmware_version: string | null;
  last_seen: Date | null;
}

const DEVICE_COLUMNS = [
  'id',
  'device_name',
  'device_type',
  'device_id',
  'status',
  'firmware_version',
  'last_seen',
] as const satisfies readonly (keyof DeviceRow)[];

interface DeviceFactsRow extends DeviceRow {
  protection: Protection | null;
  components: Components | null;
  metadata: string | null;
}

/** Characters. With more, the metadata of a device count as absent. */
const MAX_METADATA = 256 * 1024;

/** The text of `metadata` of the `device`; NULL if the host's table has no such column: the name then means the outer one. */
const METADATA = `(SELECT CASE WHEN length(found.text) <= ${MAX_METADATA} THEN found.text END
    FROM (SELECT NULL AS metadata) absent
    CROSS JOIN LATERAL (SELECT metadata::text AS text FROM edge_devices WHERE id = device.id) found)`;

@injectable()
export class KnexFleetRepository implements FleetRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async page(organizationId: string, query: FleetQuery): Promise<DeviceListPage> {
    const devices = await this.#devices(organizationId, query);
    const last = devices.at(-1);
    return {
      devices: devices.map(toView),
      next_cursor: last && devices.length === query.limit ? last.id : null,
    };
  }

  async find(organizationId: string, id: string): Promise<DeviceFacts | null> {
    const row = (await this.knex('edge_devices as device')
      .select(
        ...DEVICE_COLUMNS.map((column) => `device.${column}`),
        'profile.protection',
        'profile.components',
        this.knex.raw(`${METADATA} AS metadata`),
      )
      .joinRaw(joinProfile('device'))
      .where({ 'device.id': id, 'device.organization_id': organizationId })
      .whereRaw(isRegistered('device'))
      .first()) as DeviceFactsRow | undefined;
    if (!row) return null;
    return {
      ...toView(row),
      protection: row.protection,
      components: row.components,
      attributes: readAttributes(row.metadata),
    };
  }

  async #devices(organizationId: string, query: FleetQuery): Promise<DeviceRow[]> {
    const devices = this.knex<DeviceRow>('edge_devices')
      .select(...DEVICE_COLUMNS)
      .where('organization_id', organizationId)
      .whereRaw(isRegistered('edge_devices'))
      .orderBy('id')
      .limit(query.limit);
    if (query.afterId !== undefined) void devices.andWhere('id', '>', query.afterId);
    if (query.deviceType !== undefined) void devices.andWhere('device_type', query.deviceType);
    if (query.status) void devices.andWhere('status', query.status);
    if (query.search) void devices.andWhere(await this.#matching(organizationId, query.search));
    return devices;
  }

  /** In a small fleet text matches anywhere; in a large one the host's indexes are used, as for targets. */
  async #matching(
    organizationId: string,
    search: string,
  ): Promise<(devices: Knex.QueryBuilder) => void> {
    if (await this.#isSmall(organizationId)) {
      const pattern = likePattern(search);
      return (devices) => {
        void devices
          .whereILike('device_name', pattern)
          .orWhereILike('device_id', pattern)
          .orWhereILike('firmware_version', pattern);
      };
    }
    const ids = await findDevicesByPrefix(this.knex, organizationId, search);
    return (devices) => {
      if (ids.length <= FEW_DEVICES) void devices.whereRaw('id = ANY(?::uuid[])', [ids]);
      else void devices.whereLike('device_name', prefixPattern(search));
    };
  }

  async #isSmall(organizationId: string): Promise<boolean> {
    const some = this.knex('edge_devices')
      .select(this.knex.raw('1'))
      .where({ organization_id: organizationId })
      .limit(SMALL_FLEET + 1);
    const row = await this.knex
      .from(some.as('some'))
      .count<{ count: string }[]>('* as count')
      .first();
    return Number(row?.count ?? 0) <= SMALL_FLEET;
  }
}

function toView(row: DeviceRow): DeviceView {
  return {
    device_id: row.id,
    device_name: row.device_name,
    device_type: row.device_type,
    hardware_id: row.device_id,
    status: row.status,
    current_version: row.firmware_version,
    last_seen: row.last_seen?.toISOString() ?? null,
  };
}
