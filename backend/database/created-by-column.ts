import type { Knex } from 'knex';
import { isUuid } from '../kernel/uuid.ts';

interface CreatedByColumn {
  type: string;
  /** The n of `varchar(n)`; `null`: any length. */
  length: number | null;
  /** The quoted table and column that the foreign key references; `null`: no foreign key. */
  users: string | null;
  key: string | null;
  /** Whether the plugin's role may read that table; `null`: no foreign key. */
  readable: boolean | null;
}

/**
 * The value for `ota_deployments.created_by`: the user id, or `null` if the column would reject it. Tables that existed
 * before the plugin may have their own type, length or foreign key there. The published Ops-Center references its
 * users, which do not include API tokens and external identities.
 */
export async function createdByFor(knex: Knex, userId: string): Promise<string | null> {
  const { rows } = await knex.raw<{ rows: CreatedByColumn[] }>(
    `SELECT format_type(a.atttypid, NULL) AS type,
       CASE WHEN a.atttypmod > 4 AND t.typname IN ('varchar', 'bpchar') THEN a.atttypmod - 4 END AS length,
       c.confrelid::regclass::text AS users, quote_ident(k.attname) AS key,
       has_column_privilege(c.confrelid, k.attnum, 'SELECT') AS readable
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_constraint c
       ON c.conrelid = a.attrelid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)
     LEFT JOIN pg_attribute k ON k.attrelid = c.confrelid
       AND k.attnum = c.confkey[array_position(c.conkey, a.attnum)]
     WHERE a.attrelid = to_regclass('ota_deployments') AND a.attname = 'created_by'`,
  );
  const column = rows[0];
  if (!column || !fits(column, userId)) return null;
  if (column.users === null || column.key === null) return userId;
  if (column.readable !== true) return null;
  // Safe to interpolate: the catalog returns both names quoted.
  const found = await knex.raw<{ rows: unknown[] }>(
    `SELECT 1 FROM ${column.users} WHERE ${column.key} = CAST(? AS ${column.type})`,
    [userId],
  );
  return found.rows.length > 0 ? userId : null;
}

function fits({ type, length }: CreatedByColumn, userId: string): boolean {
  if (type === 'uuid') return isUuid(userId);
  const isText = type === 'text' || type === 'character varying' || type === 'character';
  return isText && (length === null || userId.length <= length);
}
