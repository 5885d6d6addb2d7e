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
import * as figures from './20261125060000_figures.ts';
import * as retryInPieces from './20261125070000_retry_in_pieces.ts';
import * as attempts from './20261126000000_attempts.ts';
import * as reportedDetails from './20261126010000_reported_details.ts';
import * as deviceProfiles from './20261126020000_device_profiles.ts';
import * as packageNames from './20261126030000_package_names.ts';
import * as devicePolls from './20261127000000_device_polls.ts';

/** In order. Never rename a migration after it is merged. */
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
  '20261125060000_figures': figures,
  '20261125070000_retry_in_pieces': retryInPieces,
  '20261126000000_attempts': attempts,
  '20261126010000_reported_details': reportedDetails,
  '20261126020000_device_profiles': deviceProfiles,
  '20261126030000_package_names': packageNames,
  '20261127000000_device_polls': devicePolls,
};

/** Names have no file extension, so that they are the same in source and compiled code. */
const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(MIGRATIONS[name] as Knex.Migration),
};

const TABLE = 'ota_migrations';
/** Knex derives this name from the table's. */
const KNEX_LOCK = 'ota_migrations_lock';
const CONFIG: Knex.MigratorConfigWithLifecycleHooks = {
  migrationSource: source,
  tableName: TABLE,
  // A newer release may have migrated already; servers of this release must still start.
  disableMigrationsListValidation: true,
};
/** While a migration waits for a lock, later queries on the table queue behind it. */
const LOCK_TIMEOUT_MS = 1_000;
/** Between attempts, servers run the queries that were blocked. */
const LOCK_RETRY_MS = 1_000;
const LOCK_ATTEMPTS = 60;
const LOCK_NOT_AVAILABLE = '55P03';
/** An arbitrary number, the same in all processes. */
const ADVISORY_LOCK = 7_200_721;

/**
 * Migrates the schema to this release. Safe to call from several processes at once, and while servers of the
 * previous release are running: it blocks them for at most a second at a time. Each migration is one
 * transaction.
 */
export async function migrateUp(knex: Knex): Promise<void> {
  while (await exclusively(knex, (trx) => hasRun(trx.migrate.up(CONFIG)))) {
    // `up` runs one migration at a time.
  }
}

/** Names of this release's migrations that have not been applied. Those of newer releases are ignored. */
export async function pendingMigrations(knex: Knex): Promise<string[]> {
  const known = Object.keys(MIGRATIONS);
  if (!(await knex.schema.hasTable(TABLE))) return known;
  const applied = await knex(TABLE).pluck<string[]>('name');
  return known.filter((name) => !applied.includes(name));
}

/** Reverts everything that {@link migrateUp} did. Tables that existed before it stay. */
export async function migrateDown(knex: Knex): Promise<void> {
  while (await exclusively(knex, (trx) => hasRun(trx.migrate.down(CONFIG)))) {
    // `down` reverts one migration at a time.
  }
  await exclusively(knex, async (trx) => {
    await trx.schema.dropTableIfExists(TABLE);
    await trx.schema.dropTableIfExists(KNEX_LOCK);
  });
}

/** Knex resolves with the batch number and the names of the migrations that ran. */
async function hasRun(migrating: Promise<unknown>): Promise<boolean> {
  const [, names] = (await migrating) as [number, string[]];
  return names.length > 0;
}

/**
 * Runs one transaction under an advisory lock, so that only one process migrates at a time. If it waits too
 * long for a table lock, it rolls back and tries again.
 *
 * Knex's own lock is a row, which stays forever if a process is killed during a migration. An advisory lock
 * ends with its transaction, so its holder can safely remove such a row.
 */
async function exclusively<Result>(
  knex: Knex,
  work: (trx: Knex.Transaction) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await knex.transaction(async (trx) => {
        await disableTimeouts(trx);
        await trx.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await trx.raw('SELECT pg_advisory_xact_lock(?)', [ADVISORY_LOCK]);
        if (await trx.schema.hasTable(KNEX_LOCK)) await trx.migrate.forceFreeMigrationsLock(CONFIG);
        return await work(trx);
      });
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== LOCK_NOT_AVAILABLE || attempt === LOCK_ATTEMPTS) throw error;
      await delay(LOCK_RETRY_MS);
    }
  }
}

/** Timeouts configured for normal queries may be too short for adopting a million rows. */
async function disableTimeouts(trx: Knex.Transaction): Promise<void> {
  await trx.raw(
    `SELECT set_config(name, '0', true) FROM pg_settings
     WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')`,
  );
}
