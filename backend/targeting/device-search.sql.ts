import type { Knex } from 'knex';
import { prefixPattern } from '../database/like-pattern.ts';
import { isUuid } from '../kernel/uuid.ts';

/** With more matching devices, scanning the searched rows is faster than looking them up by id. */
export const FEW_DEVICES = 2_000;

/**
 * Ids of the devices whose name begins with the text (same case), or whose id or hardware id it is. More than
 * {@link FEW_DEVICES} ids mean that there are too many, and the result is incomplete.
 */
export async function findDevicesByPrefix(
  knex: Knex,
  organizationId: string,
  search: string,
): Promise<string[]> {
  const byName = knex('edge_devices')
    .select('id')
    .where({ organization_id: organizationId })
    .andWhereLike('device_name', prefixPattern(search))
    .orderBy('device_name')
    .limit(FEW_DEVICES + 1);
  const found = knex
    .select('id')
    .from(byName.as('named'))
    .union(
      knex('edge_devices')
        .select('id')
        .where({ device_id: search, organization_id: organizationId }),
    );
  // The target of a gone device can still be found by the device's id.
  if (isUuid(search)) void found.union(knex.raw('SELECT ?::uuid', [search]));
  const rows = (await found) as { id: string }[];
  return rows.map((row) => row.id);
}
