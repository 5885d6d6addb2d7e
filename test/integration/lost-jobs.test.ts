import { expect } from 'chai';
import { pino } from 'pino';

import { locateQueue } from '../../jobs/queue-backend.ts';
import { RolloutQueue } from '../../jobs/rollout-queue.ts';
import { createFleet, startServer, startOta, type OtaServer } from '../support/ota-server.ts';
import { withQueue } from '../support/job-queue.ts';
import { untilWaitingForLock } from '../support/blocked-sessions.ts';
import { startWorkerProcess } from '../support/worker-process.ts';
import { waitFor } from '../../dev/wait-for.ts';

describe('lost, late and duplicate jobs', () => {
  let ota: OtaServer;

  beforeEach(async () => {
    ota = await startOta({ role: 'api' });
  });

  afterEach(() => ota.close());

  it('F64 a lost release job does not prevent the release', async () => {
    const fleet = await createFleet(ota, 3);
    const { deployment_id: id } = await fleet.create();
    await fleet.act(id, 'start');
    await withQueue(ota.knex, async (queue) => {
      expect(await queue.getWaitingCount()).to.equal(1);
      await queue.drain(true);
      expect(await queue.getWaitingCount()).to.equal(0);
    });
    expect((await fleet.detail(id)).batches[0]?.state).to.equal('releasing');
    const worker = await startServer(ota.knex, {
      role: 'worker',
      config: { reconcile_seconds: 1 },
    });
    try {
      await fleet.untilReleased(id, 3, { timeout: 10_000 });
    } finally {
      await worker.close();
    }
  });

  it('F64 a lost job of a scheduled start does not prevent the start', async () => {
    const fleet = await createFleet(ota, 1);
    const { deployment_id: id } = await fleet.create({
      scheduled_at: new Date(Date.now() + 200).toISOString(),
    });
    await withQueue(ota.knex, async (queue) => {
      expect(await queue.getDelayedCount()).to.equal(1);
      await queue.drain(true);
      expect(await queue.getDelayedCount()).to.equal(0);
    });
    const worker = await startServer(ota.knex, {
      role: 'worker',
      config: { reconcile_seconds: 1 },
    });
    try {
      await fleet.untilReleased(id, 1, { timeout: 10_000 });
    } finally {
      await worker.close();
    }
  });

  it('F66 duplicate release jobs release one batch, once', async () => {
    const fleet = await createFleet(ota, 6);
    const { deployment_id: id } = await fleet.create({
      rollout_strategy: 'rolling',
      batch_size: 2,
    });
    await fleet.act(id, 'start');
    const queue = new RolloutQueue(
      await locateQueue(undefined, ota.knex, 'ota_queue'),
      pino({ level: 'silent' }),
    );
    await queue.open();
    for (let copy = 0; copy < 8; copy += 1) await queue.releaseBatch(id, 1 + (copy % 3));
    await queue.close();
    const worker = await startServer(ota.knex, { role: 'worker' });
    try {
      await withQueue(ota.knex, async (jobs) => {
        await waitFor(
          async () => (await jobs.getWaitingCount()) + (await jobs.getActiveCount()) === 0,
          { describe: 'all jobs are processed' },
        );
      });
      const detail = await fleet.detail(id);
      expect(detail.released_devices).to.equal(2);
      expect(
        (await fleet.eventTypes(id)).filter((type) => type === 'batch_released'),
      ).to.have.length(1);
    } finally {
      await worker.close();
    }
  });

  it('F57 invalid jobs do not block others', async () => {
    const fleet = await createFleet(ota, 1);
    await withQueue(ota.knex, async (queue) => {
      await queue.add('release-batch', { deployment_id: 'invalid' });
      await queue.add('release-batch', { deployment_id: '11111111-1111-4111-8111-111111111111' });
      await queue.add('from-a-later-release', {});
    });
    const worker = await startServer(ota.knex, { role: 'worker' });
    try {
      await fleet.rollOut();
    } finally {
      await worker.close();
    }
  });

  it('F63 a worker that is killed during a release leaves nothing half done', async () => {
    const config = { reconcile_seconds: 1 };
    const fleet = await createFleet(ota, 5);
    const { deployment_id: id } = await fleet.create();
    await fleet.act(id, 'start');
    const hold = await ota.knex.transaction();
    // A killed worker holds its lease as long as its own configuration defines, so it gets its successor's.
    const killed = startWorkerProcess(ota.database.connectionString, config);
    try {
      await hold('ota_deployments').where({ id }).forUpdate();
      await untilWaitingForLock(ota.knex, {
        query: '%ota_deployments%',
        timeout: 15_000,
      });
    } finally {
      await killed.kill();
      await hold.rollback();
    }
    expect((await fleet.detail(id)).released_devices).to.equal(0);
    const worker = await startServer(ota.knex, { role: 'worker', config });
    try {
      const detail = await fleet.untilReleased(id, 5, { timeout: 10_000 });
      expect(detail.batches.map((batch) => batch.state)).to.deep.equal(['running']);
      expect(
        (await fleet.eventTypes(id)).filter((type) => type === 'batch_released'),
      ).to.have.length(1);
    } finally {
      await worker.close();
    }
  }).timeout(40_000);
});
