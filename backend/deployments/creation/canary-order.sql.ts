/** The order of a canary (docs/contract.md, Order of a canary). `rules/canary-coverage.ts` computes the same from counts. */
import type { MatchingDevices, SqlPart } from '../../targeting/matching-devices.sql.ts';

/** The largest kinds are distinguished; the devices of all others count as one kind more. */
export const MAX_KINDS = 1_000;

/** Whether the device `d` is online. */
const IS_ONLINE = `coalesce(d.status = 'online', false)`;

/** What distinguishes the kind of the device `d`: type, version, and the values of the attributes. */
function valuesOf({ installed }: MatchingDevices, stratifyBy: readonly string[]): string[] {
  const attributes = stratifyBy.map((_, index) => `d.metadata->>CAST(:attribute_${index} AS text)`);
  return ['d.device_type', installed, ...attributes].map((value) => `(${value})::text`);
}

/**
 * The {@link MAX_KINDS} largest kinds of the devices, with their numbers of devices and their priority, which counts from
 * 1. Each row also has the sums over all kinds.
 */
export function canaryKinds(matching: MatchingDevices, stratifyBy: readonly string[]): SqlPart {
  const values = valuesOf(matching, stratifyBy);
  const columns = values.map((_, index) => `value_${index}`);
  // Grouping by columns is faster than by an array.
  const numbers = values.map((_, index) => index + 1).join(', ');
  return {
    sql: `
      SELECT kind, count, online, total_count, total_online, row_number() OVER (
               ORDER BY online = 0, count DESC, kind COLLATE "C") AS priority
      FROM (SELECT ${values.map((value, index) => `${value} AS value_${index}`).join(', ')},
                   count(*) AS count, count(*) FILTER (WHERE ${IS_ONLINE}) AS online,
                   sum(count(*)) OVER () AS total_count,
                   sum(count(*) FILTER (WHERE ${IS_ONLINE})) OVER () AS total_online
            FROM ${matching.from} WHERE ${matching.sql}
            GROUP BY ${numbers} ORDER BY count(*) DESC, ${numbers} LIMIT ${MAX_KINDS}) largest,
           LATERAL (SELECT ARRAY[${columns.join(', ')}] AS kind) named`,
    bindings: {
      ...matching.bindings,
      ...Object.fromEntries(stratifyBy.map((key, index) => [`attribute_${index}`, key])),
    },
  };
}

/**
 * The devices of a canary, with their positions: a device of each kind, then the online devices, then the others, both in
 * proportion to the sizes of the kinds. Within a kind, online devices come first, then the `hash` decides.
 *
 * @param hash of a device `d`
 */
export function canaryOrder(
  matching: MatchingDevices,
  stratifyBy: readonly string[],
  hash: string,
): SqlPart {
  const kinds = canaryKinds(matching, stratifyBy);
  const priority = `coalesce(kinds.priority, ${MAX_KINDS + 1})`;
  return {
    sql: `
      SELECT id, device_name, device_type, installed,
             row_number() OVER (
               ORDER BY CASE WHEN rank = 1 THEN 0 WHEN is_online THEN 1 ELSE 2 END,
                 CASE WHEN rank = 1 THEN 0 ELSE (rank - 0.5::float8) / count END, priority) - 1 AS position
      FROM (SELECT d.id, d.device_name, d.device_type, ${matching.installed} AS installed,
                   ${IS_ONLINE} AS is_online, ${priority} AS priority,
                   row_number() OVER (PARTITION BY ${priority}
                                      ORDER BY ${IS_ONLINE} DESC, ${hash}, d.id) AS rank,
                   count(*) OVER (PARTITION BY ${priority}) AS count
            FROM ${matching.from}
            LEFT JOIN (${kinds.sql}) kinds ON kinds.kind = ARRAY[${valuesOf(matching, stratifyBy).join(', ')}]
            WHERE ${matching.sql}) ranked`,
    bindings: kinds.bindings,
  };
}
