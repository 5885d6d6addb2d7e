import type { RequestHandler } from 'express';
import type { Knex } from 'knex';

import type { PluginHealth } from '../../host-contract.ts';
import type { LoadedPlugin } from './plugin-loader.ts';

const CHECK_TIMEOUT_MS = 3_000;

/** `starting`: `activate` has not returned; `failed`: the plugin could not be activated. */
export type PluginState = 'starting' | 'failed' | LoadedPlugin;

/** `GET /health`: the process responds. Checks nothing else: a restart does not help if the database is down. */
export const liveness: RequestHandler = (_request, response) => {
  response.set('Cache-Control', 'no-store').json({ status: 'ok' });
};

/** A check of something that the host needs. */
export interface HealthCheck {
  /** Rejects if it does not work. */
  run(): PromiseLike<unknown>;
  /** A sentence for the operator if it does not, e.g. `The database does not respond.` */
  failure: string;
}

interface Health extends Partial<PluginHealth> {
  healthy: boolean;
  detail?: string;
}

/**
 * `GET /health/ready`: 200 if requests can be served, otherwise 503 with the failed checks. A stopping
 * host is not ready.
 */
export function readiness(parts: {
  knex: Knex;
  pluginState: () => PluginState;
  isDraining: () => boolean;
  /** Besides those of the host, the database and the plugin, by name. */
  checks: Readonly<Record<string, HealthCheck>>;
}): RequestHandler {
  const { knex, pluginState, isDraining } = parts;
  const dependencies: Record<string, HealthCheck> = {
    database: { run: () => knex.raw('SELECT 1'), failure: 'The database does not respond.' },
    ...parts.checks,
  };
  return async (_request, response) => {
    const results = await Promise.all([
      ...Object.entries(dependencies).map(
        async ([name, check]) => [name, await run(check)] as const,
      ),
      pluginHealth(pluginState()).then((health) => ['plugin', health] as const),
    ]);
    const host: Health = isDraining()
      ? { healthy: false, detail: 'The host is stopping.' }
      : { healthy: true };
    const checks: Record<string, Health> = { host, ...Object.fromEntries(results) };
    const ready = Object.values(checks).every(({ healthy }) => healthy);
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: ready ? 'ok' : 'unavailable', checks });
  };
}

async function run({ run: check, failure }: HealthCheck): Promise<Health> {
  try {
    await withTimeout(check());
    return { healthy: true };
  } catch {
    return { healthy: false, detail: failure };
  }
}

async function pluginHealth(state: PluginState): Promise<Health> {
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
