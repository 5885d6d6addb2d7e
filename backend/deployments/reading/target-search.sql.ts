import type { Knex } from 'knex';
import { likePattern, prefixPattern } from '../../database/like-pattern.ts';
import type { Deployment } from '../model/deployment.types.ts';
import { findDevicesByPrefix, FEW_DEVICES } from '../../targeting/device-search.sql.ts';
import { targetsInOrder, withinRange, type TargetRange } from './target-range.sql.ts';
import { JOIN_OWN_DEVICE } from '../storage/target.sql.ts';

/** Up to here every target is looked at, and text is found anywhere in a name. */
const FEW_TARGETS = 20_000;
const PART_OF_UUID = /^[0-9a-f-]+$/i;

/**
 * Targets of a deployment that a search text finds: by their device's name, id or hardware id, or by
 * their error. Up to 20,000 targets the text may stand anywhere, in upper or lower case. In more,
 * names are found by how they begin, as written, and ids by the whole of them: the host's indexes
 * answer that in milliseconds, where looking at a million names takes seconds.
 *
 * @returns a query for the rows `t.*` of `ota_deployment_devices` within the range, in order; in an
 *   object, since a promise of a query would run it
 */
export async function searchTargets(
  knex: Knex,
  deployment: Deployment,
  range: TargetRange,
  search: string,
): Promise<{ rows: Knex.QueryBuilder }> {
  if (deployment.totalDevices <= FEW_TARGETS) {
    return { rows: withinRange(anywhere(knex, deployment, search), range) };
  }
  const devices = await findDevicesByPrefix(knex, deployment.organizationId, search);
  if (devices.length > FEW_DEVICES) return scanTargets(knex, deployment, range, search);
  const found = knex('ota_deployment_devices')
    .whereRaw('deployment_id = ? AND device_id = ANY(?::uuid[])', [deployment.id, devices])
    .union(errorsWith(knex, deployment, search));
  return { rows: withinRange(knex.select('t.*').from(found.as('t')), range) };
}

function anywhere(knex: Knex, deployment: Deployment, search: string): Knex.QueryBuilder {
  const pattern = likePattern(search);
  return knex('ota_deployment_devices as t')
    .select('t.*')
    .joinRaw(JOIN_OWN_DEVICE, [deployment.organizationId])
    .where('t.deployment_id', deployment.id)
    .andWhere((either) => {
      void either
        .whereRaw('coalesce(device.device_name, t.device_name) ILIKE ?', [pattern])
        .orWhereRaw('device.device_id::text ILIKE ?', [pattern])
        .orWhereILike('t.error_message', pattern);
      if (PART_OF_UUID.test(search)) void either.orWhereRaw('t.device_id::text ILIKE ?', [pattern]);
    });
}

/** Walks the targets in order; with so many to find, a page is full before long. */
function scanTargets(
  knex: Knex,
  deployment: Deployment,
  range: TargetRange,
  search: string,
): { rows: Knex.QueryBuilder } {
  return targetsInOrder(knex, deployment.id, range, (rows) => {
    void rows.andWhere((either) => {
      void either
        .whereRaw(
          // OFFSET 0 keeps the lookups one by one.
          `coalesce((SELECT device_name FROM edge_devices
                     WHERE id = t.device_id AND organization_id = ? OFFSET 0), t.device_name) LIKE ?`,
          [deployment.organizationId, prefixPattern(search)],
        )
        .orWhereILike('t.error_message', likePattern(search));
    });
  });
}

function errorsWith(knex: Knex, deployment: Deployment, search: string): Knex.QueryBuilder {
  return knex('ota_deployment_devices')
    .where({ deployment_id: deployment.id })
    .whereNotNull('error_message')
    .andWhereILike('error_message', likePattern(search));
}
