import { expect } from 'chai';

import { HostProcess } from '../../../dev/host/host-process.ts';
import { startRedisServer, type RedisServer } from '../../../dev/redis/redis-server.ts';
import { ADMIN_API, deploymentRequest } from '../../support/ota-server.ts';
import {
  insertDevices,
  insertOrganization,
  insertUser,
  type SeededUser,
} from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';

const DEVICES = 1_000;
const TABLES = [
  'ota_deployments',
  'ota_deployment_devices',
  'ota_deployment_batches',
  'ota_events',
];

describe('F63 a server that is killed during a creation', () => {
  let database: TestDatabase;
  let redis: RedisServer;
  let server: HostProcess;
  let admin: SeededUser;

  before(async function () {
    const started = await startRedisServer();
    if (started === null) return this.skip();
    redis = started;
    database = await createTestDatabase();
    const organizationId = await insertOrganization(database.knex);
    admin = await insertUser(database.knex, { organizationId });
    await insertDevices(database.knex, DEVICES, { organizationId });
    server = await HostProcess.start({
      role: 'api',
      databaseUrl: database.connectionString,
      redisUrl: redis.url,
      pluginConfig: {},
    });
  });

  after(async () => {
    await server?.kill('SIGKILL');
    await redis?.stop();
    await database?.drop();
  });

  function create(): Promise<Response> {
    return fetch(`${server.url}${ADMIN_API}/deployments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(deploymentRequest()),
    });
  }

  /** Sessions of the server that wait for the test's lock. */
  async function waiting(): Promise<number> {
    const { rows } = await database.knex.raw<{ rows: { sessions: string }[] }>(
      `SELECT count(*) AS sessions FROM pg_locks
       WHERE relation = 'ota_deployment_batches'::regclass AND NOT granted`,
    );
    return Number(rows[0]?.sessions);
  }

  it('leaves nothing of the deployment, and the next attempt creates it completely', async () => {
    // The targets are written before the batches. The creation waits between the two.
    const hold = await database.knex.transaction();
    await hold.raw('LOCK TABLE ota_deployment_batches IN EXCLUSIVE MODE');
    const lost = create().catch(() => null);
    await waitFor(async () => (await waiting()) === 1, {
      describe: 'the creation waits for the lock',
    });
    await server.kill('SIGKILL');
    await hold.rollback();
    expect(await lost).to.equal(null);
    await waitFor(async () => (await waiting()) === 0, {
      describe: 'no session waits for the lock',
    });
    for (const table of TABLES) {
      expect(await database.knex(table), table).to.deep.equal([]);
    }

    await server.start();
    expect((await create()).status).to.equal(201);
    const targets = await database.knex('ota_deployment_devices').count<[{ count: string }]>();
    expect(Number(targets[0]?.count)).to.equal(DEVICES);
  });
});
