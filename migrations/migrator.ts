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
  '20261125060000_figures': figures,
  '20261125070000_retry_in_pieces': retryInPieces,
  '20261126000000_attempts': attempts,
};

/** Names without file endings, so that compiled and source runs agree on what has been applied. */
const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(MIGRATIONS[name] as Knex.Migration),
};

const TABLE = 'ota_migrations';
/** Knex names it after the table. */
const KNEX_LOCK = 'ota_migrations_lock';
const CONFIG: Knex.MigratorConfigWithLifecycleHooks = {
  migrationSource: source,
  tableName: TABLE,
  // A newer release may have migrated already, and servers of this one must still start beside it.
  disableMigrationsListValidation: true,
};
/** A migration that waits for a lock makes everybody wait who comes after it. */
const LOCK_TIMEOUT_MS = 1_000;
/** Between two tries servers catch up with what they had to wait for. */
const LOCK_RETRY_MS = 1_000;
const LOCK_TRIES = 60;
const LOCK_NOT_AVAILABLE = '55P03';
/** Any fixed number; processes that start together take turns on it. */
const ADVISORY_LOCK = 7_200_721;

/**
 * Brings the schema to this release. Safe to call from several processes at once, and while servers of
 * the release before serve: it holds none of them up for longer than a second at a time. Each migration is one
 * transaction on one connection.
 */
export async function migrateUp(knex: Knex): Promise<void> {
  while (await inTurn(knex, (trx) => hasRun(trx.migrate.up(CONFIG)))) {
    // The next one.
  }
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
  while (await inTurn(knex, (trx) => hasRun(trx.migrate.down(CONFIG)))) {
    // The one before.
  }
  await inTurn(knex, async (trx) => {
    await trx.schema.dropTableIfExists(TABLE);
    await trx.schema.dropTableIfExists(KNEX_LOCK);
  });
}

/** Knex answers the number of the batch and the names of what has run. */
async function hasRun(migrating: Promise<unknown>): Promise<boolean> {
  const [, names] = (await migrating) as [number, string[]];
  return names.length > 0;
}

/**
 * One transaction, when nobody else migrates; tried again when it had to wait for a lock for too long, with
 * nothing half done. Knex's own lock outlives a process that was killed while it migrated, and then stands
 * in the way for ever. An advisory lock ends with its transaction, so under it a leftover lock can be freed.
 */
async function inTurn<Result>(
  knex: Knex,
  work: (trx: Knex.Transaction) => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await knex.transaction(async (trx) => {
        await removeTimeLimits(trx);
        await trx.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await trx.raw('SELECT pg_advisory_xact_lock(?)', [ADVISORY_LOCK]);
        if (await trx.schema.hasTable(KNEX_LOCK)) await trx.migrate.forceFreeMigrationsLock(CONFIG);
        return await work(trx);
      });
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== LOCK_NOT_AVAILABLE || tries === LOCK_TRIES) throw error;
      await delay(LOCK_RETRY_MS);
    }
  }
}

/** What an operator has set for what serves may be too short for adopting a million rows. */
async function removeTimeLimits(trx: Knex.Transaction): Promise<void> {
  await trx.raw(
    `SELECT set_config(name, '0', true) FROM pg_settings
     WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')`,
  );
}
