import { expect } from 'chai';
import knexFactory from 'knex';

import type { CreatedDeployment, DeploymentDetail } from '../../../backend/contract/admin-api.ts';
import type { ActivePlugin, HostContext, HostRole } from '../../../backend/host-contract.ts';
import { activate } from '../../../backend/plugin.ts';
import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import { insertDevices } from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { testRedisUrl } from '../../support/test-services.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { openEventStream, type EventStreamClient } from './event-stream-client.ts';
import { untilNothingLeftOpen, stableOpenResources } from './open-resources.ts';

const ADMIN_API = '/api/v1/admin/ota';
const DEVICE_API = '/api/v1/ota';
const DEPLOYMENT = {
  deployment_name: 'Firmware',
  target_version: 'v2.1.0',
  rollout_strategy: 'immediate',
  update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
  checksum: 'ab'.repeat(32),
};

describe('the plugin lifecycle', () => {
  let database: TestDatabase;
  let host: FakeHost;
  const open: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
    await database.drop();
  });

  async function openHost(options: Partial<Parameters<typeof createFakeHost>[0]> = {}) {
    const opened = await createFakeHost({ knex: database.knex, ...options });
    open.push(() => opened.close());
    return opened;
  }

  async function activateOn(context: HostContext): Promise<ActivePlugin> {
    const plugin = await activate(context);
    open.push(() => plugin.deactivate());
    return plugin;
  }

  async function create(owner: FakeHost): Promise<string> {
    const answer = await owner
      .as(owner.admin)
      .post(`${ADMIN_API}/deployments`)
      .send(DEPLOYMENT)
      .expect(201);
    return (answer.body as CreatedDeployment).deployment_id;
  }

  async function start(owner: FakeHost, id: string): Promise<void> {
    await owner.as(owner.admin).post(`${ADMIN_API}/deployments/${id}/start`).expect(200);
  }

  async function detail(owner: FakeHost, id: string): Promise<DeploymentDetail> {
    const answer = await owner.as(owner.admin).get(`${ADMIN_API}/deployments/${id}`).expect(200);
    return answer.body as DeploymentDetail;
  }

  function watch(owner: FakeHost, id: string): Promise<EventStreamClient> {
    const url = `${owner.baseUrl}${ADMIN_API}/deployments/${id}/stream`;
    return openEventStream(url, owner.admin.token);
  }

  async function expectRoutes(owner: FakeHost, present: boolean): Promise<void> {
    await owner.request.get(`${ADMIN_API}/deployments`).expect(present ? 401 : 404);
    await owner.request.get(`${DEVICE_API}/check-update`).expect(present ? 401 : 404);
    expect(owner.pages()).to.have.length(present ? 1 : 0);
  }

  for (const queue of ['PostgreSQL', 'Redis'] as const) {
    for (const role of ['api', 'worker', 'all'] as const satisfies HostRole[]) {
      it(`leaves nothing behind as ${role}, with the queue on ${queue}`, async function () {
        const redisUrl = queue === 'Redis' ? await testRedisUrl() : null;
        if (queue === 'Redis' && redisUrl === null) return this.skip();
        host = await openHost({ role, redisUrl });
        await insertDevices(database.knex, 3, { organizationId: host.organizationId });
        const before = await stableOpenResources(database);
        for (let round = 1; round <= 2; round += 1) {
          const plugin = await activateOn(host.context);
          expect(await plugin.health()).to.have.property('healthy', true);
          await expectRoutes(host, role !== 'worker');
          const stream = role === 'worker' ? null : await use(role);
          await plugin.deactivate();
          await stream?.ended;
          await expectRoutes(host, false);
          await untilNothingLeftOpen(before, database);
        }
      });
    }
  }

  /** Creates rows, jobs and an open stream that has shown a change. */
  async function use(role: HostRole): Promise<EventStreamClient> {
    const id = await create(host);
    const stream = await watch(host, id);
    await start(host, id);
    if (role === 'all') {
      await waitFor(async () => (await detail(host, id)).released_devices === 3, {
        describe: 'the batch is released',
      });
    }
    await stream.next('deployment');
    return stream;
  }

  it('fails with every error of its configuration, and leaves nothing behind', async () => {
    const config = { poll_interval_seconds: 0, queue_prefix: 'Not a name', migrate: 7, surplus: 1 };
    host = await openHost({ config });
    const before = await stableOpenResources(database);
    const problem = await activate(host.context).catch((error: unknown) => error);
    expect(problem).to.include({ name: 'DomainError', code: 'invalid_request' });
    const { extras } = problem as { extras: { errors: { path: string }[] } };
    expect(extras.errors.map(({ path }) => path)).to.have.members(Object.keys(config));
    await expectRoutes(host, false);
    await untilNothingLeftOpen(before, database);
  });

  it('leaves nothing behind if the database is unavailable', async () => {
    host = await openHost();
    const knex = knexFactory({
      client: 'pg',
      connection: `postgres://nobody@127.0.0.1:${await freePort()}/none`,
      pool: { min: 0, max: 10 },
    });
    const before = await stableOpenResources(database);
    const problem = await activate({ ...host.context, database: { knex } }).catch(
      (error: unknown) => error,
    );
    expect(problem).to.be.instanceOf(Error);
    await knex.destroy();
    await expectRoutes(host, false);
    await untilNothingLeftOpen(before, database);
  });

  it('fails soon if the queue is unavailable, and leaves nothing behind', async () => {
    const redisUrl = `redis://127.0.0.1:${await freePort()}`;
    host = await openHost({ redisUrl });
    const before = await stableOpenResources(database);
    const problem = await activate(host.context).catch((error: unknown) => error);
    expect(problem).to.include({ name: 'DomainError', code: 'queue_unavailable' });
    await expectRoutes(host, false);
    await untilNothingLeftOpen(before, database);
  });

  for (const queue of ['PostgreSQL', 'Redis'] as const) {
    it(`undoes a failed activation completely, with the queue on ${queue}`, async function () {
      const redisUrl = queue === 'Redis' ? await testRedisUrl() : null;
      if (queue === 'Redis' && redisUrl === null) return this.skip();
      host = await openHost({ redisUrl });
      const before = await stableOpenResources(database);
      const navigation = {
        addPage(): never {
          throw new Error('no room in the navigation');
        },
      };
      const problem = await activate({ ...host.context, navigation }).catch(
        (error: unknown) => error,
      );
      expect(problem).to.have.property('message', 'no room in the navigation');
      await expectRoutes(host, false);
      await untilNothingLeftOpen(before, database);

      await activateOn(host.context);
      await expectRoutes(host, true);
    });
  }

  it('can be deactivated repeatedly and concurrently', async () => {
    host = await openHost();
    const before = await stableOpenResources(database);
    const plugin = await activate(host.context);
    await Promise.all([plugin.deactivate(), plugin.deactivate()]);
    await untilNothingLeftOpen(before, database);
    await plugin.deactivate();
    await expectRoutes(host, false);
  });

  it('ends open event streams before the host stops', async () => {
    host = await openHost({ role: 'api' });
    await insertDevices(database.knex, 1, { organizationId: host.organizationId });
    await activateOn(host.context);
    const id = await create(host);
    const streams = [await watch(host, id), await watch(host, id)];
    await Promise.all(streams.map((stream) => stream.next('deployment')));
    await host.runShutdownCallbacks();
    await Promise.all(streams.map((stream) => stream.ended));
  });

  for (const queue of ['PostgreSQL', 'Redis'] as const) {
    it(`works as an API and a worker process, with the queue on ${queue}`, async function () {
      const redisUrl = queue === 'Redis' ? await testRedisUrl() : null;
      if (queue === 'Redis' && redisUrl === null) return this.skip();
      const config = { queue_prefix: `two_${queue.toLowerCase()}` };
      const api = await openHost({ role: 'api', redisUrl, config });
      await activateOn(api.context);
      const [device] = await insertDevices(database.knex, 1, {
        organizationId: api.organizationId,
      });
      const id = await create(api);
      await start(api, id);
      const stream = await watch(api, id);
      await stream.next('deployment');
      expect((await detail(api, id)).batches[0]).to.have.property('state', 'releasing');

      const knex = knexFactory({ client: 'pg', connection: database.connectionString });
      open.push(() => knex.destroy());
      const worker = await openHost({ knex, role: 'worker', redisUrl, config });
      await activateOn(worker.context);
      // A release changes many targets, which sends a reset. Only the worker can have done it.
      await stream.next('reset');
      expect(await detail(api, id)).to.have.property('released_devices', 1);
      const offer = await api
        .as(device as NonNullable<typeof device>)
        .get(`${DEVICE_API}/check-update?device_id=${device?.id ?? ''}`)
        .expect(200);
      expect(offer.body).to.include({ update_available: true, deployment_id: id });
    });
  }
});
