import type { Knex } from 'knex';
import { likePattern, prefixPattern } from '../../database/like-pattern.ts';
import type { Deployment } from '../model/deployment.types.ts';
import { findDevicesByPrefix, FEW_DEVICES } from '../../targeting/device-search.sql.ts';
import { targetsInOrder, withinRange, type TargetRange } from './target-range.sql.ts';
import { JOIN_OWN_DEVICE } from '../storage/target.sql.ts';

/** Up to this number of targets, all of them are searched, and text matches anywhere in a name. */
const FEW_TARGETS = 5_000;
const PART_OF_UUID = /^[0-9a-f-]+$/i;

/**
 * Searches the targets of a deployment by name, id or hardware id of the device, or by error. In up to 5,000 targets
 * the text matches anywhere, ignoring case. In more, it must be the beginning of a name, with the same case, or a whole
 * id: the host's indexes find those in milliseconds, while a scan of a million names takes seconds
 * (docs/decisions/search-by-beginning.md).
 *
 * @returns a query for the rows `t.*` of `ota_deployment_devices` in the range, ordered by position; wrapped in an
 *   object, because awaiting a query would run it
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

/** Scans the targets in order. With so many matches, a page is soon full. */
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
          // OFFSET 0 forces one index lookup per target.
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
