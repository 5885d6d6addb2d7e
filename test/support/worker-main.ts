/** The entry of {@link startWorkerProcess}: a worker of the plugin on a fake host. */
import knexFactory from 'knex';

import { activate } from '../../backend/plugin.ts';
import { createFakeHost } from './fake-host.ts';

const knex = knexFactory({
  client: 'pg',
  connection: process.env['DATABASE_URL'] as string,
  pool: { min: 0, max: 5 },
});
const config: unknown = JSON.parse(process.env['WORKER_CONFIG'] ?? '{}');
const host = await createFakeHost({ knex, role: 'worker', config });
await activate(host.context);
console.log('ready');
