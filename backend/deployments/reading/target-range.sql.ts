import type { Knex } from 'knex';
import type { TargetStatus } from '../../contract/states.ts';

/** A page of a deployment's targets. */
export interface TargetRange {
  statuses: readonly TargetStatus[];
  /** Positions between these two, both excluded. */
  after: number;
  before: number;
  /** Targets at the most. */
  limit: number;
}

/** Keeps targets `t` of the range, in order. */
export function withinRange(rows: Knex.QueryBuilder, range: TargetRange): Knex.QueryBuilder {
  return betweenPositions(rows.whereIn('t.status', range.statuses), range);
}

function betweenPositions(rows: Knex.QueryBuilder, range: TargetRange): Knex.QueryBuilder {
  return rows
    .where('t.position', '>', range.after)
    .where('t.position', '<', range.before)
    .orderBy('t.position')
    .limit(range.limit);
}

/**
 * The targets `t.*` of a range, read in their order until the page is full: each status for itself
 * from its part of the index, of which a page at the most, whatever the size of the deployment. In an
 * object, since a promise of a query would run it.
 *
 * @param narrow adds conditions on `t`
 */
export function targetsInOrder(
  knex: Knex,
  deploymentId: string,
  range: TargetRange,
  narrow: (rows: Knex.QueryBuilder) => void = () => undefined,
): { rows: Knex.QueryBuilder } {
  const ofStatus = betweenPositions(
    knex('ota_deployment_devices as t')
      .select('t.*')
      .where('t.deployment_id', deploymentId)
      .whereRaw('t.status = asked.status'),
    range,
  );
  narrow(ofStatus);
  const rows = knex
    .select('t.*')
    .from(
      knex.raw('unnest(CAST(? AS text[])) AS asked (status) CROSS JOIN LATERAL (?) AS t', [
        [...range.statuses],
        ofStatus,
      ]),
    )
    .orderBy('t.position')
    .limit(range.limit);
  return { rows };
}
