import { expect } from 'chai';
import knexFactory, { type Knex } from 'knex';
import { activate } from '../../backend/plugin.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import { createFakeHost } from '../support/fake-host.ts';
import {
  ADMIN_API,
  createFleet,
  startServer,
  startOta,
  type OtaServer,
} from '../support/ota-server.ts';
import { startPgbouncer, type Pooler } from '../support/pgbouncer.ts';
import { testRedisUrl } from '../support/test-services.ts';

/** More than the pool has connections. */
const DEVICES = 48;

describe('G06 a connection pooler', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  let pooler: Pooler;
  let knex: Knex;

  async function connectBy(mode: 'session' | 'transaction'): Promise<boolean> {
    const started = await startPgbouncer(ota.database.connectionString, mode);
    if (!started) return false;
    pooler = started;
    knex = knexFactory({ client: 'pg', connection: pooler.url, pool: { min: 0, max: 8 } });
    return true;
  }

  before(async () => {
    ota = await startOta({ config: { queue_prefix: 'elsewhere' } });
  });

  afterEach(async () => {
    await knex?.destroy();
    await pooler?.stop();
  });

  after(() => ota.close());

  it('in transaction mode makes the plugin refuse to start with a hint', async function () {
    if (!(await connectBy('transaction'))) return this.skip();
    const redisUrl = await testRedisUrl();
    const host = await createFakeHost({ knex, redisUrl });
    try {
      const error = await activate(host.context).then(
        () => null,
        (thrown: unknown) => thrown as Error,
      );
      expect(error?.message).to.match(/pooler .* session mode/s);
    } finally {
      await host.close();
    }
  });

  it('in session mode works for polls, reports and event streams', async function () {
    if (!(await connectBy('session'))) return this.skip();
    const redisUrl = await testRedisUrl();
    const server = await startServer(knex, { redisUrl });
    let stream: EventStreamReader | undefined;
    try {
      const fleet = (await createFleet(ota, DEVICES)).through(server.host);
      const id = await fleet.rollOut();
      stream = await EventStreamReader.open(
        `${server.host.baseUrl}${ADMIN_API}/deployments/${id}/stream`,
        fleet.admin,
      );
      for (const status of ['downloading', 'installing', 'completed'] as const) {
        await fleet.reportAll(fleet.devices, id, status);
      }
      await stream.next('progress', ({ completed }) => completed === DEVICES);
      expect((await fleet.detail(id)).status).to.equal('completed');
    } finally {
      await stream?.close();
      await server.close();
    }
  });
});
