import type { Knex } from 'knex';
import { isUuid } from '../kernel/uuid.ts';

interface CreatedByColumn {
  type: string;
  /** What `varchar(n)` holds; `null`: any length. */
  length: number | null;
  /** The table of users it points to, as SQL writes it, and its column; `null`: to none. */
  users: string | null;
  key: string | null;
  /** Whether the plugin's role may look into it; `null`: there is no such table. */
  readable: boolean | null;
}

/**
 * What may stand in `created_by`, which is the host's column where the tables were there before: the id
 * itself, or nothing where the host would refuse it. The published Ops-Center has a foreign key to its
 * users there, and a token or an identity from elsewhere is none of them.
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
  // Both names come quoted from the catalog.
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
