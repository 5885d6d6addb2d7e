import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import * as deployments from './20261101000000_deployments.ts';
import * as timelineAndLogs from './20261101000001_timeline_and_logs.ts';
import * as versionOrder from './20261101000002_version_order.ts';
import * as eventAddress from './20261124000000_event_address.ts';
import * as errorSearch from './20261124000001_error_search.ts';
import * as targetWrites from './20261124000002_target_writes.ts';
import * as author from './20261125010000_author.ts';
import * as leases from './20261125020000_leases.ts';
import * as idempotencyKeys from './20261125040000_idempotency_keys.ts';
import * as targetDevices from './20261125050000_target_devices.ts';

/** In order; a name, once landed, never changes. */
const MIGRATIONS: Record<string, Knex.Migration> = {
  '20261101000000_deployments': deployments,
  '20261101000001_timeline_and_logs': timelineAndLogs,
  '20261101000002_version_order': versionOrder,
  '20261124000000_event_address': eventAddress,
  '20261124000001_error_search': errorSearch,
  '20261124000002_target_writes': targetWrites,
  '20261125010000_author': author,
  '20261125020000_leases': leases,
  '20261125040000_idempotency_keys': idempotencyKeys,
  '20261125050000_target_devices': targetDevices,
};

/** Names without file endings, so that compiled and source runs agree on what has been applied. */
const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(MIGRATIONS[name] as Knex.Migration),
};

const TABLE = 'ota_migrations';
const CONFIG: Knex.MigratorConfigWithLifecycleHooks = {
  migrationSource: source,
  tableName: TABLE,
  // A newer release may have migrated already, and servers of this one must still start beside it.
  disableMigrationsListValidation: true,
  // A migration that waits for a lock makes everybody wait who comes after it.
  beforeEach: async (transaction) => {
    await transaction.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  },
};
const LOCK_TIMEOUT_MS = 1_000;
/** Between two tries servers catch up with what they had to wait for. */
const LOCK_RETRY_MS = 1_000;
const LOCK_TRIES = 60;
const LOCK_NOT_AVAILABLE = '55P03';
/** Any fixed number; processes that start together take turns on it. */
const ADVISORY_LOCK = 7_200_721;

/**
 * Brings the schema to this release. Safe to call from several processes at once, and while servers of
 * the release before serve: it holds none of them up for longer than a second at a time.
 */
export async function migrateUp(knex: Knex): Promise<void> {
  await takingTurns(knex, () => withPatience(() => knex.migrate.latest(CONFIG)));
}

/** Migrations of this release that the database has not seen; those of newer releases do no harm. */
export async function pendingMigrations(knex: Knex): Promise<string[]> {
  const known = Object.keys(MIGRATIONS);
  if (!(await knex.schema.hasTable(TABLE))) return known;
  const applied = await knex(TABLE).pluck<string[]>('name');
  return known.filter((name) => !applied.includes(name));
}

/** Takes everything off again that {@link migrateUp} added; what was there before stays. */
export async function migrateDown(knex: Knex): Promise<void> {
  await takingTurns(knex, async () => {
    await knex.migrate.rollback(CONFIG, true);
    await knex.schema.dropTableIfExists(TABLE);
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

/** Tries again when something held a lock for too long; every try begins with nothing half done. */
async function withPatience(migrate: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await migrate();
      return;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== LOCK_NOT_AVAILABLE || tries === LOCK_TRIES) throw error;
      await delay(LOCK_RETRY_MS);
    }
  }
}
