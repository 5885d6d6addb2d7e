/** Snapshots of a database's public schema, to be compared. */
import type { Knex } from 'knex';

export interface SchemaSnapshot {
  columns: Record<string, unknown>[];
  indexes: Record<string, unknown>[];
  constraints: Record<string, unknown>[];
  functions: Record<string, unknown>[];
  comments: Record<string, unknown>[];
}

/** Tables with their columns in order, indexes, constraints, functions and comments. */
export async function snapshotSchema(knex: Knex): Promise<SchemaSnapshot> {
  return {
    columns: await select(
      knex,
      `SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
              a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default,
              col_description(c.oid, a.attnum) AS comment
       FROM pg_class c
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S', 'p')
       ORDER BY c.relname, a.attnum`,
    ),
    indexes: await select(
      knex,
      `SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
       ORDER BY tablename, indexname`,
    ),
    constraints: await select(
      knex,
      `SELECT conrelid::regclass::text AS relname, conname, pg_get_constraintdef(oid) AS definition
       FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2`,
    ),
    functions: await select(
      knex,
      `SELECT oid::regprocedure::text AS function FROM pg_proc
       WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
    ),
    comments: await select(
      knex,
      `SELECT relname, obj_description(oid, 'pg_class') AS comment FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`,
    ),
  };
}

/** All rows of the given columns, as text. */
export async function snapshotRows(
  knex: Knex,
  tables: Record<string, readonly string[]>,
): Promise<Record<string, unknown[]>> {
  const rows: [string, unknown[]][] = [];
  for (const [table, columns] of Object.entries(tables)) {
    const list = columns.map((column) => `${column}::text AS ${column}`).join(', ');
    rows.push([table, await select(knex, `SELECT ${list} FROM ${table} ORDER BY 1, 2`)]);
  }
  return Object.fromEntries(rows);
}

async function select(knex: Knex, sql: string): Promise<Record<string, unknown>[]> {
  return (await knex.raw<{ rows: Record<string, unknown>[] }>(sql)).rows;
}
