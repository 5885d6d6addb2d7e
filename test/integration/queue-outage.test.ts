import { Redis } from 'ioredis';
import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import {
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import { startRedisServer, type RedisServer } from '../../dev/redis/redis-server.ts';
import { waitFor } from '../../dev/wait-for.ts';

const RECOVERY = { timeout: 15_000 };

describe('F64 a queue outage', function () {
  this.timeout(40_000);
  let redis: RedisServer | null = null;
  let ota: OtaServer;
  let fleet: Fleet;

  before(async function () {
    redis = await startRedisServer();
    if (redis === null) {
      console.error('NOT TESTED: an outage of the job queue. redis-server is not installed.');
      this.skip();
    }
    ota = await startOta({
      redisUrl: redis.url,
      config: { reconcile_seconds: 1, timeout_sweep_seconds: 1 },
    });
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 4);
  });

  after(async () => {
    await ota?.close();
    await redis?.stop();
  });

  async function duringOutage(use: () => Promise<void>): Promise<void> {
    const { port } = redis!;
    await redis!.stop();
    try {
      await use();
    } finally {
      redis = await startRedisServer(port);
    }
  }

  it('makes start, resume, expand and retry respond with a 503 and change nothing', async () => {
    const { deployment_id: pending } = await fleet.create();
    const canary = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 25 });
    const paused = await fleet.rollOut();
    await fleet.act(paused, 'pause');
    const failed = await fleet.rollOut();
    await fleet.reportAll(fleet.devices, failed, 'failed');
    const calls = [
      [pending, 'start'],
      [paused, 'resume'],
      [canary, 'expand'],
      [failed, 'retry'],
    ] as const;
    await duringOutage(async () => {
      const before = await Promise.all(calls.map(([id]) => fleet.storedDetail(id)));
      const timelines = await Promise.all(calls.map(([id]) => fleet.eventTypes(id)));
      const answers = await Promise.all(
        calls.map(([id, action]) => fleet.post(`/deployments/${id}/${action}`)),
      );
      for (const [index, answer] of answers.entries()) {
        const problem = answer.body as Problem;
        expect([calls[index]![1], answer.status, problem.code]).to.deep.equal([
          calls[index]![1],
          503,
          'queue_unavailable',
        ]);
        expect(Number(answer.headers['retry-after'])).to.be.greaterThan(0);
      }
      const scheduled = await fleet.post(
        '/deployments',
        deploymentRequest({ scheduled_at: new Date(Date.now() + 60_000).toISOString() }),
      );
      expect(scheduled.status).to.equal(503);
      expect(await Promise.all(calls.map(([id]) => fleet.storedDetail(id)))).to.deep.equal(before);
      expect(await Promise.all(calls.map(([id]) => fleet.eventTypes(id)))).to.deep.equal(timelines);
      expect((await health()).checks['queue']?.healthy).to.equal(false);
    });
    await waitFor(async () => (await health()).healthy, { ...RECOVERY, describe: 'healthy again' });
    await fleet.act(pending, 'start');
    await fleet.untilReleased(pending, 4, RECOVERY);
  });

  const health = () => ota.plugin.health();

  it('does not affect pause, cancel, polls and reports', async () => {
    const id = await fleet.rollOut();
    const other = await fleet.rollOut({ target_version: 'v3.0.0' });
    await duringOutage(async () => {
      expect(await fleet.offered(fleet.device)).to.equal(other);
      await fleet.act(other, 'pause');
      expect(await fleet.offered(fleet.device)).to.equal(id);
      await fleet.act(other, 'cancel');
      await fleet.reportAll(fleet.devices, id, 'completed');
      expect((await fleet.detail(id)).status).to.equal('completed');
    });
  });

  it('delays the next batch until the queue is back', async () => {
    const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
    await duringOutage(async () => {
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
      expect((await fleet.detail(id)).released_devices).to.equal(2);
    });
    await fleet.untilReleased(id, 4, RECOVERY);
  });

  it('that loses all jobs stops neither batches nor timeouts', async () => {
    const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 1 });
    const connection = new Redis(redis!.url);
    await connection.flushall();
    connection.disconnect();
    for (const number of [1, 2, 3]) {
      await fleet.reportAll(await fleet.batch(id, number), id, 'completed');
      await fleet.untilReleased(id, number + 1, RECOVERY);
    }
    const [last] = await fleet.batch(id, 4);
    await fleet.reports(last!, id, 'downloading');
    await ota
      .knex('ota_deployment_devices')
      .where({ deployment_id: id, device_id: last!.id })
      .update({ last_report_at: new Date(Date.now() - 61 * 60_000) });
    await fleet.until(id, ({ status }) => status === 'failed', RECOVERY);
  });
});
