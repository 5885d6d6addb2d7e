import type { Knex } from 'knex';
import { describeOutage } from './database/database-errors.ts';
import { KnexUnitOfWork, asKnex } from './database/knex-unit-of-work.ts';
import { KnexLeases } from './database/leases.ts';
import { LIMITS } from './kernel/time-limits.ts';
import { pendingMigrations } from '../migrations/migrator.ts';
import type { RolloutJobs } from './deployments/model/rollout-jobs.ports.ts';
import type { PluginHealth } from './host-contract.ts';

/** The result of `health()` (docs/monitoring.md, Health). */
export async function checkHealth(knex: Knex, jobs: RolloutJobs): Promise<PluginHealth> {
  const [database, queue, migrations] = await Promise.all([
    databaseHealth(knex),
    toCheck(jobs.assertAvailable(), 'The job queue does not respond.'),
    migrationHealth(knex),
  ]);
  return {
    healthy: database.healthy && queue.healthy && migrations.healthy,
    checks: { database, queue, migrations },
  };
}

type Check = PluginHealth['checks'][string];

/** Tests a write, because a database that is read-only, full or locked still answers queries. */
async function databaseHealth(knex: Knex): Promise<Check> {
  try {
    await new KnexUnitOfWork(knex).run(
      (tx) => new KnexLeases(asKnex(tx)).probeWrite(),
      LIMITS.health,
    );
    return { healthy: true };
  } catch (error) {
    return { healthy: false, detail: describeOutage(error) };
  }
}

/** The health check may be public, so it does not contain the error, which may name addresses. */
async function toCheck(check: PromiseLike<unknown>, detail: string): Promise<Check> {
  try {
    await check;
    return { healthy: true };
  } catch {
    return { healthy: false, detail };
  }
}

async function migrationHealth(knex: Knex): Promise<Check> {
  try {
    const pending = await pendingMigrations(knex);
    if (pending.length === 0) return { healthy: true };
    const detail = `Not applied: ${pending.join(', ')}. Activate the plugin once with migrate: true.`;
    return { healthy: false, detail };
  } catch {
    return {
      healthy: false,
      detail: 'The applied migrations could not be read from the database.',
    };
  }
}
