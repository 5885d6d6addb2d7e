import type { Knex } from 'knex';
import * as deployments from './20261101000000_deployments.ts';
import * as timelineAndLogs from './20261101000001_timeline_and_logs.ts';
import * as versionOrder from './20261101000002_version_order.ts';
import * as errorSearch from './20261124000001_error_search.ts';

/** In order; a name, once landed, never changes. */
const MIGRATIONS: Record<string, Knex.Migration> = {
  '20261101000000_deployments': deployments,
  '20261101000001_timeline_and_logs': timelineAndLogs,
  '20261101000002_version_order': versionOrder,
  '20261124000001_error_search': errorSearch,
};

/** Names without file endings, so that compiled and source runs agree on what has been applied. */
const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(MIGRATIONS[name] as Knex.Migration),
};

const CONFIG: Knex.MigratorConfig = { migrationSource: source, tableName: 'ota_migrations' };
/** Any fixed number; processes that start together take turns on it. */
const ADVISORY_LOCK = 7_200_721;

/** Brings the schema to this release. Safe to call from several processes at once. */
export async function migrateUp(knex: Knex): Promise<void> {
  await takingTurns(knex, () => knex.migrate.latest(CONFIG));
}

/** Takes everything off again that {@link migrateUp} added; what was there before stays. */
export async function migrateDown(knex: Knex): Promise<void> {
  await takingTurns(knex, async () => {
    await knex.migrate.rollback(CONFIG, true);
    await knex.schema.dropTableIfExists('ota_migrations');
    await knex.schema.dropTableIfExists('ota_migrations_lock');
  });
}

/**
 * Knex's own lock outlives a process that was killed while it migrated, and then stands in the way
 * for ever. An advisory lock ends with its session, so under it a leftover lock can be freed.
 */
async function takingTurns(knex: Knex, migrate: () => Promise<unknown>): Promise<void> {
  await knex.transaction(async (session) => {
    await session.raw('SELECT pg_advisory_xact_lock(?)', [ADVISORY_LOCK]);
    if (await knex.schema.hasTable('ota_migrations_lock')) {
      await knex.migrate.forceFreeMigrationsLock(CONFIG);
    }
    await migrate();
  });
}
