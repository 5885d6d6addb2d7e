import type { Knex } from 'knex';
import type { TargetStatus } from '../../contract/states.ts';

/** A page of a deployment's targets. */
export interface TargetRange {
  statuses: readonly TargetStatus[];
  /** Positions between these two, exclusive. */
  after: number;
  before: number;
  /** Maximum number of targets. */
  limit: number;
}

/** Restricts a query of targets `t` to the range, ordered by position. */
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
 * A query for the targets `t.*` of a range, ordered by position. It reads at most one page per status from the index,
 * whatever the size of the deployment. Wrapped in an object, because awaiting a query would run it.
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
      .whereRaw('t.status = wanted.status'),
    range,
  );
  narrow(ofStatus);
  const rows = knex
    .select('t.*')
    .from(
      knex.raw('unnest(CAST(? AS text[])) AS wanted (status) CROSS JOIN LATERAL (?) AS t', [
        [...range.statuses],
        ofStatus,
      ]),
    )
    .orderBy('t.position')
    .limit(range.limit);
  return { rows };
}
