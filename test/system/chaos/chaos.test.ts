/**
 * A rolling deployment to many devices while servers are killed, Redis is flushed and goes away,
 * PostgreSQL loses its power, and jobs come twice. `OTA_CHAOS_DEVICES`, `OTA_CHAOS_FAULTS` and
 * `OTA_CHAOS_SEED` make it longer or repeat a course.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import { Redis } from 'ioredis';
import knexFactory, { type Knex } from 'knex';
import { pino } from 'pino';

import type { CreatedDeployment } from '../../../backend/contract/admin-api.ts';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../../dev/database/embedded-postgres.ts';
import { seededRandom } from '../../../dev/fleet/random.ts';
import { VirtualFleet } from '../../../dev/fleet/virtual-fleet.ts';
import { createHostTables } from '../../../dev/host/host-schema.ts';
import { RolloutQueue } from '../../../jobs/rollout-queue.ts';
import { migrateUp } from '../../../migrations/migrator.ts';
import { ADMIN_API, deploymentRequest } from '../../support/ota-scenario.ts';
import { startRedisServer, type RedisServer } from '../../../dev/redis/redis-server.ts';
import { tellAtTheEnd } from '../../support/root-setup.ts';
import { insertDevices, insertOrganization, insertUser } from '../../support/seed.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { judge, keepLedger } from '../../support/ledger.ts';
import { HostProcess } from '../../../dev/host/host-process.ts';

const DEVICES = Number(process.env.OTA_CHAOS_DEVICES ?? 200);
const FAULTS = Number(process.env.OTA_CHAOS_FAULTS ?? 8);
const SEED = Number(process.env.OTA_CHAOS_SEED ?? Date.now() % 1_000_000);
const REPORTS_PER_DEVICE = 4;
const QUEUE_PREFIX = 'chaos';
const MINUTES = 60_000;

const PLUGIN_CONFIG = {
  poll_interval_seconds: 1,
  device_requests_per_minute: 100_000,
  reconcile_seconds: 1,
  timeout_sweep_seconds: 1,
  queue_prefix: QUEUE_PREFIX,
};

describe('F63 F64 F65 F66 F70 a rollout while everything breaks', function () {
  this.timeout(10 * MINUTES);

  let dataDir: string;
  let postgres: EmbeddedPostgres;
  let redis: RedisServer;
  let knex: Knex;
  let servers: HostProcess[] = [];
  let fleet: VirtualFleet;
  const random = seededRandom(SEED);

  before(async function () {
    const started = await startRedisServer();
    if (started === null) return this.skip();
    redis = started;
    dataDir = await mkdtemp(path.join(tmpdir(), 'ops-center-chaos-'));
    postgres = await startEmbeddedPostgres({ dataDir, persistent: true });
    knex = knexFactory({
      client: 'pg',
      connection: postgres.connectionString(),
      pool: { min: 0, max: 5 },
      // Knex prints what the test is about.
      log: { warn: () => undefined, error: () => undefined },
    });
    await createHostTables(knex);
    await migrateUp(knex);
    await keepLedger(knex);
    servers = await Promise.all(
      (['api', 'api', 'worker', 'worker'] as const).map((role) =>
        HostProcess.start({
          role,
          databaseUrl: postgres.connectionString(),
          redisUrl: redis.url,
          pluginConfig: PLUGIN_CONFIG,
        }),
      ),
    );
  });

  after(async () => {
    await fleet?.stop();
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    await redis?.stop();
    await knex?.destroy();
    await postgres?.stop();
    if (dataDir) await rm(dataDir, { recursive: true, force: true });
  });

  const apis = () => servers.filter(({ role }) => role === 'api');
  const workers = () => servers.filter(({ role }) => role === 'worker');

  async function killed(server: HostProcess, signal: NodeJS.Signals): Promise<void> {
    await server.kill(signal);
    await server.start();
  }

  async function queueJobsAgain(id: string): Promise<void> {
    const prefix = `{${QUEUE_PREFIX}}`;
    const location = {
      kind: 'redis',
      connect: () => new Redis(redis.url, { maxRetriesPerRequest: null }),
      prefix,
    } as const;
    const queue = new RolloutQueue(location, pino({ level: 'silent' }));
    await queue.open();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => [
        queue.releaseBatch(id, (index % 5) + 1),
        queue.skipPending(id),
      ]).flat(),
    );
    await queue.close();
  }

  const FAULT_KINDS: Record<string, (id: string) => Promise<void>> = {
    'an api process is killed': () => killed(random.pick(apis()), 'SIGKILL'),
    'an api process is stopped under load': () => killed(random.pick(apis()), 'SIGTERM'),
    'a worker is killed': () => killed(random.pick(workers()), 'SIGKILL'),
    'a worker stands still': async () => {
      const worker = random.pick(workers());
      worker.suspend();
      await fleet.untilAcknowledged(fleet.tally.acknowledged + DEVICES / 20);
      worker.resume();
    },
    'Redis is flushed': async () => {
      const connection = new Redis(redis.url);
      await connection.flushall();
      await connection.quit();
    },
    'Redis goes away and comes back empty': async () => {
      const { port } = redis;
      await redis.stop();
      redis = (await startRedisServer(port)) ?? redis;
    },
    'PostgreSQL loses its power': async () => {
      const { port } = postgres;
      await postgres.stop('immediate');
      postgres = await startEmbeddedPostgres({ dataDir, persistent: true, port });
    },
    'jobs come again and again': (id) => queueJobsAgain(id),
  };

  /** Every kind as often as any other, in an order that the seed decides. */
  function schedule(): string[] {
    const kinds = Object.keys(FAULT_KINDS);
    const chosen = Array.from({ length: FAULTS }, (_, index) => kinds[index % kinds.length] ?? '');
    return chosen
      .map((kind) => ({ kind, place: random.share() }))
      .sort((a, b) => a.place - b.place)
      .map(({ kind }) => kind);
  }

  it('ends by itself, with every device at one end, and nothing lost or doubled', async () => {
    const organizationId = await insertOrganization(knex);
    const admin = await insertUser(knex, { organizationId });
    const seeded = await insertDevices(knex, DEVICES, { organizationId });
    fleet = new VirtualFleet(
      seeded.map(({ id, token }) => ({ id, token, version: 'v2.0.0' })),
      {
        urls: apis().map(({ url }) => url),
        connections: 32,
        behaviour: {
          pollSeconds: 1,
          stepSeconds: 0.2,
          failureShare: 0.03,
          rollbackShare: 0.03,
          retrySeconds: 0.5,
        },
        offlineShare: 0,
        random,
      },
    );
    const post = async <T>(url: string, body: object): Promise<T> => {
      const response = await fetch(`${apis()[0]?.url}${ADMIN_API}${url}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      expect(response.ok, await response.clone().text()).to.equal(true);
      return (await response.json()) as T;
    };
    const { deployment_id: id } = await post<CreatedDeployment>(
      '/deployments',
      deploymentRequest({ rollout_strategy: 'rolling', rollout_percentage: 10 }),
    );
    await post(`/deployments/${id}/start`, {});
    fleet.start();

    const course = schedule();
    console.log(`      seed ${SEED}, ${DEVICES} devices`);
    const expected = DEVICES * REPORTS_PER_DEVICE;
    for (const [index, kind] of course.entries()) {
      await fleet.untilAcknowledged(Math.floor((expected * (index + 0.5)) / (course.length + 1)));
      console.log(`      after ${fleet.tally.acknowledged} reports: ${kind}`);
      const began = Date.now();
      await FAULT_KINDS[kind]?.(id);
      console.log(`        ${Date.now() - began} ms`);
    }
    const deployment = await waitFor(
      async () => {
        const row = await knex('ota_deployments')
          .where({ id })
          .first<{ status: string; completed_at: Date | null }>('status', 'completed_at');
        return row.completed_at && row;
      },
      {
        timeout: 5 * MINUTES,
        describe: () => `the deployment ends; ${JSON.stringify(fleet.tally)}`,
      },
    );
    expect(deployment.status).to.be.oneOf(['completed', 'failed']);
    // The last answers may still be on their way, or have to be asked for once more.
    let verdict = await judge(knex, id, fleet.devices);
    await waitFor(
      async () => {
        verdict = await judge(knex, id, fleet.devices);
        return verdict.lost === 0;
      },
      {
        timeout: 30_000,
        describe: () => `all acknowledged ends are kept; ${JSON.stringify(verdict)}`,
      },
    );
    const { targets, lost, doubled, drift, early, releasedTwice, unfinished } = verdict;
    tellAtTheEnd(
      `${course.length} faults injected, ${targets} targets: lost ${lost}, doubled ${doubled}, ` +
        `drift ${drift}, ahead of the gate ${early}, released twice ${releasedTwice}, ` +
        `unfinished ${unfinished} (seed ${SEED})`,
    );
    expect(verdict).to.deep.equal({
      targets: DEVICES,
      unfinished: 0,
      lost: 0,
      doubled: 0,
      drift: 0,
      early: 0,
      releasedTwice: 0,
    });
  });
});
