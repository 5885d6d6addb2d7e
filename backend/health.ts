import type { Knex } from 'knex';
import type { RolloutJobs } from './deployments/rollout-jobs.ts';
import type { PluginHealth } from './host-contract.ts';

/** Whether the plugin can do its work now: what `health()` tells the host. */
export async function checkHealth(knex: Knex, jobs: RolloutJobs): Promise<PluginHealth> {
  const [database, queue] = await Promise.all([
    attempt(() => knex.raw('SELECT 1')),
    attempt(() => jobs.assertAvailable()),
  ]);
  return { healthy: database.healthy && queue.healthy, checks: { database, queue } };
}

async function attempt(check: () => Promise<unknown>): Promise<PluginHealth['checks'][string]> {
  try {
    await check();
    return { healthy: true };
  } catch (error) {
    return { healthy: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
