import type { Knex } from 'knex';

import * as enrolment from './20261127000000_enrolment.ts';

/** In order. Never rename a migration after it is merged. */
const MIGRATIONS: Record<string, Knex.Migration> = {
  '20261127000000_enrolment': enrolment,
};

/** Names have no file extension, so that they are the same in source and compiled code. */
const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(MIGRATIONS[name] as Knex.Migration),
};

const TABLE = 'ota_server_migrations';
const CONFIG: Knex.MigratorConfigWithLifecycleHooks = {
  migrationSource: source,
  tableName: TABLE,
  // A newer release may have migrated already; servers of this release must still start.
  disableMigrationsListValidation: true,
};
/** An arbitrary number, the same in all processes. */
const ADVISORY_LOCK = 7_200_731;

/**
 * Migrates the tables of ota-server to this release. Safe to call from several processes at once: an advisory
 * lock lets one process at a time migrate, in one transaction, and ends with it. Knex's own lock is a row, which
 * would stay if a process were killed, so the holder of the advisory lock frees it.
 */
export async function migrateServerTables(knex: Knex): Promise<void> {
  await knex.transaction(async (trx) => {
    await trx.raw('SELECT pg_advisory_xact_lock(?)', [ADVISORY_LOCK]);
    if (await trx.schema.hasTable(`${TABLE}_lock`))
      await trx.migrate.forceFreeMigrationsLock(CONFIG);
    await trx.migrate.latest(CONFIG);
  });
}
