/**
 * A rolling deployment to many devices while servers are killed, Redis is flushed and restarted,
 * PostgreSQL crashes, and jobs are duplicated. `OTA_CHAOS_DEVICES` and `OTA_CHAOS_FAULTS` make it
 * longer. `OTA_CHAOS_SEED` repeats a run.
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
} from '../../../backend/server/postgres/embedded-postgres.ts';
import { seededRandom } from '../../../dev/fleet/random.ts';
import { VirtualFleet } from '../../../dev/fleet/virtual-fleet.ts';
import { createHostTables } from '../../../dev/host/host-schema.ts';
import { RolloutQueue } from '../../../jobs/rollout-queue.ts';
import { migrateUp } from '../../../migrations/migrator.ts';
import { ADMIN_API, deploymentRequest } from '../../support/ota-server.ts';
import { startRedisServer, type RedisServer } from '../../../dev/redis/redis-server.ts';
import { addToSummary } from '../../support/root-hooks.ts';
import { insertDevices, insertOrganization, insertUser } from '../../support/seed.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { auditRollout, recordStatusChanges } from '../../support/rollout-audit.ts';
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

describe('F63 F64 F65 F66 F70 a rollout under random faults', function () {
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
      // Knex would print the expected connection errors.
      log: { warn: () => undefined, error: () => undefined },
    });
    await createHostTables(knex);
    await migrateUp(knex);
    await recordStatusChanges(knex);
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

  async function restart(server: HostProcess, signal: NodeJS.Signals): Promise<void> {
    await server.kill(signal);
    await server.start();
  }

  async function enqueueDuplicateJobs(id: string): Promise<void> {
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
    'an API process is killed': () => restart(random.pick(apis()), 'SIGKILL'),
    'an API process is stopped under load': () => restart(random.pick(apis()), 'SIGTERM'),
    'a worker is killed': () => restart(random.pick(workers()), 'SIGKILL'),
    'a worker stalls': async () => {
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
    'Redis restarts empty': async () => {
      const { port } = redis;
      await redis.stop();
      redis = (await startRedisServer(port)) ?? redis;
    },
    'PostgreSQL crashes': async () => {
      const { port } = postgres;
      await postgres.stop('immediate');
      postgres = await startEmbeddedPostgres({ dataDir, persistent: true, port });
    },
    'jobs are duplicated': (id) => enqueueDuplicateJobs(id),
  };

  /** Every kind of fault equally often, in an order that depends on the seed. */
  function schedule(): string[] {
    const kinds = Object.keys(FAULT_KINDS);
    const chosen = Array.from({ length: FAULTS }, (_, index) => kinds[index % kinds.length] ?? '');
    return chosen
      .map((kind) => ({ kind, place: random.share() }))
      .sort((a, b) => a.place - b.place)
      .map(({ kind }) => kind);
  }

  it('finishes with one result per device, none lost and none duplicated', async () => {
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

    const faults = schedule();
    console.log(`      seed ${SEED}, ${DEVICES} devices`);
    const expected = DEVICES * REPORTS_PER_DEVICE;
    for (const [index, kind] of faults.entries()) {
      await fleet.untilAcknowledged(Math.floor((expected * (index + 0.5)) / (faults.length + 1)));
      console.log(`      after ${fleet.tally.acknowledged} reports: ${kind}`);
      const begin = Date.now();
      await FAULT_KINDS[kind]?.(id);
      console.log(`        ${Date.now() - begin} ms`);
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
        describe: () => `the deployment finishes; ${JSON.stringify(fleet.tally)}`,
      },
    );
    expect(deployment.status).to.be.oneOf(['completed', 'failed']);
    // Devices may still have to repeat reports whose responses were lost.
    let audit = await auditRollout(knex, id, fleet.devices);
    await waitFor(
      async () => {
        audit = await auditRollout(knex, id, fleet.devices);
        return audit.lost === 0;
      },
      {
        timeout: 30_000,
        describe: () => `all acknowledged results are stored; ${JSON.stringify(audit)}`,
      },
    );
    const { targets, lost, finishedTwice, drifted, releasedEarly, releasedTwice, unfinished } =
      audit;
    addToSummary(
      `${faults.length} faults injected, ${targets} targets: lost ${lost}, finished twice ${finishedTwice}, ` +
        `drifted ${drifted}, released early ${releasedEarly}, released twice ${releasedTwice}, ` +
        `unfinished ${unfinished} (seed ${SEED})`,
    );
    expect(audit).to.deep.equal({
      targets: DEVICES,
      unfinished: 0,
      lost: 0,
      finishedTwice: 0,
      drifted: 0,
      releasedEarly: 0,
      releasedTwice: 0,
    });
  });
});
