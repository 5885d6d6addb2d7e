/** A worker of the plugin in a process of its own, to be killed: `tsx worker-process.ts`. */
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
console.log('working');
