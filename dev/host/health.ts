import type { RequestHandler } from 'express';
import type { Knex } from 'knex';

import type { PluginHealth } from '../../backend/host-contract.ts';
import type { LoadedPlugin } from './plugin-loader.ts';

const CHECK_TIMEOUT_MS = 3_000;

/** `starting`: `activate` has not returned; `failed`: the plugin could not be activated. */
export type PluginState = 'starting' | 'failed' | LoadedPlugin;

/** `GET /health`: the process responds. Checks nothing else: a restart does not help if the database is down. */
export const liveness: RequestHandler = (_request, response) => {
  response.set('Cache-Control', 'no-store').json({ status: 'ok' });
};

/**
 * `GET /health/ready`: 200 if requests can be served, otherwise 503 with the failed checks. A stopping
 * host is not ready.
 */
export function readiness(
  knex: Knex,
  pluginState: () => PluginState,
  isDraining: () => boolean,
): RequestHandler {
  return async (_request, response) => {
    const [database, plugin] = await Promise.all([
      databaseHealth(knex),
      pluginHealth(pluginState()),
    ]);
    const host = isDraining()
      ? { healthy: false, detail: 'The host is stopping.' }
      : { healthy: true };
    const ready = host.healthy && database.healthy && plugin.healthy;
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: ready ? 'ok' : 'unavailable', checks: { host, database, plugin } });
  };
}

async function databaseHealth(knex: Knex): Promise<{ healthy: boolean; detail?: string }> {
  try {
    await withTimeout(knex.raw('SELECT 1'));
    return { healthy: true };
  } catch {
    return { healthy: false, detail: 'The database does not respond.' };
  }
}

async function pluginHealth(
  state: PluginState,
): Promise<Partial<PluginHealth> & { healthy: boolean; detail?: string }> {
  if (state === 'starting') return { healthy: false, detail: 'The plugin is starting.' };
  if (state === 'failed') {
    return { healthy: false, detail: 'The plugin could not be activated; see the host log.' };
  }
  try {
    return await withTimeout(state.plugin.health());
  } catch {
    return { healthy: false, detail: 'The health check of the plugin failed.' };
  }
}

async function withTimeout<T>(work: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
