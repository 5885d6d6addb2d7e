import type { Knex } from 'knex';
import { prefixPattern } from '../database/like-pattern.ts';
import { isUuid } from '../kernel/uuid.ts';

/** More devices than this are found sooner by walking through what is searched than by their ids. */
export const FEW_DEVICES = 2_000;

/**
 * Ids of devices whose name begins with the text, as it is written, or that have it for an id. One more than
 * {@link FEW_DEVICES} tells that there are many.
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
  // By its id a device is found that is gone, too.
  if (isUuid(search)) void found.union(knex.raw('SELECT ?::uuid', [search]));
  const rows = (await found) as { id: string }[];
  return rows.map((row) => row.id);
}
