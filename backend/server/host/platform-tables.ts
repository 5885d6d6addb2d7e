/** The tables of Ops-Center that the plugin reads. In a database of ota-server's own, they are views or foreign tables. */
import type { Knex } from 'knex';

/** The columns that the plugin and the host read. */
const REQUIRED_COLUMNS: Record<string, readonly string[]> = {
  organizations: ['id', 'name'],
  edge_devices: [
    'id',
    'device_name',
    'device_type',
    'organization_id',
    'device_id',
    'status',
    'last_seen',
    'firmware_version',
    'created_at',
    'metadata',
  ],
};
/** Which of them exist differs between installations of the platform. */
const MEMBER_COLUMNS = ['user_id', 'role', 'organization_id', 'org_id'];

const UNDEFINED_TABLE = '42P01';
const UNDEFINED_COLUMN = '42703';
const INSUFFICIENT_PRIVILEGE = '42501';
/** A view that cannot be updated, or a foreign table that must not be. */
const NOT_UPDATABLE = ['55000', '0A000'];

const NOBODY = '00000000-0000-0000-0000-000000000000';

/** What an operator has to add. */
class Lacks {
  /** Tables and columns. */
  readonly missing: string[] = [];
  /** Of the role, e.g. `SELECT on organizations`. */
  readonly privileges: string[] = [];

  /** @param name a table, or a column with its table */
  addUnreadable(name: string, result: Outcome): void {
    if (result === 'denied') this.privileges.push(`SELECT on ${name}`);
    else this.missing.push(name);
  }
}

export interface PlatformTablesOptions {
  /** Whether the memberships of users are read, if the platform has them. */
  members: boolean;
}

/** @throws Error that names every table, column and privilege that is missing, and says what to do */
export async function requirePlatformTables(
  knex: Knex,
  { members }: PlatformTablesOptions,
): Promise<void> {
  const lacks = new Lacks();
  for (const [table, columns] of Object.entries(REQUIRED_COLUMNS)) {
    const found = await unreadable(knex, table, columns);
    for (const [name, result] of found) lacks.addUnreadable(name, result);
    if (table === 'edge_devices')
      await checkUpdate(knex, new Set(found.map(([name]) => name)), lacks);
  }
  if (members) {
    const found = await unreadable(knex, 'organization_members', MEMBER_COLUMNS);
    for (const [name, result] of found) {
      if (result === 'denied') lacks.addUnreadable(name, result);
    }
  }
  await checkOwnTables(knex, lacks);
  if (lacks.missing.length === 0 && lacks.privileges.length === 0) return;
  throw new Error(await describe(knex, lacks));
}

/** The table, or the columns, that cannot be read, and why. Reads through views and foreign tables. */
async function unreadable(
  knex: Knex,
  table: string,
  columns: readonly string[],
): Promise<[name: string, result: Outcome][]> {
  const whole = await outcome(knex(table).select(knex.raw('1')).limit(1));
  if (whole !== 'done') return [[table, whole]];
  const found: [string, Outcome][] = [];
  for (const column of columns) {
    const result = await outcome(knex(table).select(column).limit(1));
    if (result !== 'done') found.push([`${table}.${column}`, result]);
  }
  return found;
}

/** @param unreadableNames columns, or the table; an update through a foreign table reads all columns */
async function checkUpdate(
  knex: Knex,
  unreadableNames: ReadonlySet<string>,
  lacks: Lacks,
): Promise<void> {
  const [table, column] = ['edge_devices', 'firmware_version'];
  const privilege = `UPDATE on ${table}.${column}`;
  if (unreadableNames.has(table) || unreadableNames.has(`${table}.${column}`)) return;
  const { rows } = await knex.raw<{ rows: [{ granted: boolean }] }>(
    `SELECT has_column_privilege(?, ?, 'UPDATE') AS granted`,
    [table, column],
  );
  if (!rows[0].granted) lacks.privileges.push(privilege);
  else if (unreadableNames.size === 0) {
    const result = await outcome(updateNobody(knex));
    if (result === 'not_updatable') lacks.missing.push(`an ${table} that can be updated`);
    else if (result !== 'done') lacks.privileges.push(privilege);
  }
}

/** The same kind of statement as the plugin's: a foreign table needs more privileges for a join than without one. */
function updateNobody(knex: Knex): PromiseLike<unknown> {
  return knex.raw(
    `UPDATE edge_devices device SET firmware_version = device.firmware_version
     FROM unnest(?::uuid[]) AS nobody (id) WHERE device.id = nobody.id`,
    [[NOBODY]],
  );
}

/** Before the first start: whether the tables of the plugin can be created, or those of an earlier release adopted. */
async function checkOwnTables(knex: Knex, lacks: Lacks): Promise<void> {
  const { rows } = await knex.raw<{ rows: [OwnTables] }>(
    `SELECT current_schema() AS schema, has_schema_privilege(current_schema(), 'CREATE') AS "canCreate",
            to_regclass('ota_migrations') IS NOT NULL AS migrated,
            ARRAY(SELECT relname::text FROM pg_class
                  WHERE oid IN (to_regclass('ota_deployments'), to_regclass('ota_deployment_devices'))
                    AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1) AS foreign`,
  );
  const { schema, canCreate, migrated, foreign } = rows[0];
  if (migrated) return;
  if (schema === null) lacks.missing.push('a schema in the search_path of the role');
  else if (!canCreate) lacks.privileges.push(`CREATE on the schema ${schema}`);
  lacks.privileges.push(...foreign.map((table) => `ownership of ${table}`));
}

interface OwnTables {
  /** `null`: no schema of the search path exists, or the role must not use it. */
  schema: string | null;
  canCreate: boolean | null;
  migrated: boolean;
  /** Tables of an earlier release that another role owns. */
  foreign: string[];
}

type Outcome = 'done' | 'undefined' | 'denied' | 'not_updatable';

async function outcome(statement: PromiseLike<unknown>): Promise<Outcome> {
  try {
    await statement;
    return 'done';
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === UNDEFINED_TABLE || code === UNDEFINED_COLUMN) return 'undefined';
    if (code === INSUFFICIENT_PRIVILEGE) return 'denied';
    if (code !== undefined && NOT_UPDATABLE.includes(code)) return 'not_updatable';
    throw error;
  }
}

async function describe(knex: Knex, { missing, privileges }: Lacks): Promise<string> {
  const { rows } = await knex.raw<{ rows: [{ role: string }] }>('SELECT current_user AS role');
  return [
    ...(missing.length > 0 ? [`The database lacks ${missing.join(', ')}.`] : []),
    ...(privileges.length > 0
      ? [`The role ${rows[0].role} lacks privileges: ${privileges.join(', ')}.`]
      : []),
    "Use the database of Ops-Center, or one of ota-server's own with views or foreign tables of these names " +
      '(docs/server.md, A database of its own).',
  ].join(' ');
}
