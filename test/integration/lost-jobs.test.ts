import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { expect } from 'chai';
import { pino } from 'pino';

import { locateQueue } from '../../jobs/queue-backend.ts';
import { RolloutQueue } from '../../jobs/rollout-queue.ts';
import { openFleet, openServer, openStage, type Stage } from '../support/ota-scenario.ts';
import { withQueue } from '../support/job-queue.ts';
import { untilWaitingForLock } from '../support/lock-waits.ts';
import { waitFor } from '../../dev/wait-for.ts';

describe('lost, late and duplicate jobs', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage({ role: 'api' });
  });

  afterEach(() => stage.close());

  it('F64 a lost release job does not prevent the release', async () => {
    const fleet = await openFleet(stage, 3);
    const { deployment_id: id } = await fleet.create();
    await fleet.act(id, 'start');
    await withQueue(stage.knex, async (queue) => {
      expect(await queue.getWaitingCount()).to.equal(1);
      await queue.drain(true);
      expect(await queue.getWaitingCount()).to.equal(0);
    });
    expect((await fleet.detail(id)).batches[0]?.state).to.equal('releasing');
    const worker = await openServer(stage.knex, {
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
    const fleet = await openFleet(stage, 1);
    const { deployment_id: id } = await fleet.create({
      scheduled_at: new Date(Date.now() + 200).toISOString(),
    });
    await withQueue(stage.knex, async (queue) => {
      expect(await queue.getDelayedCount()).to.equal(1);
      await queue.drain(true);
      expect(await queue.getDelayedCount()).to.equal(0);
    });
    const worker = await openServer(stage.knex, {
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
    const fleet = await openFleet(stage, 6);
    const { deployment_id: id } = await fleet.create({
      rollout_strategy: 'rolling',
      batch_size: 2,
    });
    await fleet.act(id, 'start');
    const queue = new RolloutQueue(
      await locateQueue(undefined, stage.knex, 'ota_queue'),
      pino({ level: 'silent' }),
    );
    await queue.open();
    for (let copy = 0; copy < 8; copy += 1) await queue.releaseBatch(id, 1 + (copy % 3));
    await queue.close();
    const worker = await openServer(stage.knex, { role: 'worker' });
    try {
      await withQueue(stage.knex, async (jobs) => {
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
    const fleet = await openFleet(stage, 1);
    await withQueue(stage.knex, async (queue) => {
      await queue.add('release-batch', { deployment_id: 'invalid' });
      await queue.add('release-batch', { deployment_id: '11111111-1111-4111-8111-111111111111' });
      await queue.add('from-a-later-release', {});
    });
    const worker = await openServer(stage.knex, { role: 'worker' });
    try {
      await fleet.roll();
    } finally {
      await worker.close();
    }
  });

  it('F63 a worker that is killed during a release leaves nothing half done', async () => {
    const config = { reconcile_seconds: 1 };
    const fleet = await openFleet(stage, 5);
    const { deployment_id: id } = await fleet.create();
    await fleet.act(id, 'start');
    const hold = await stage.knex.transaction();
    let killed: ChildProcess;
    try {
      await hold('ota_deployments').where({ id }).forUpdate();
      killed = startWorker(stage.database.connectionString, config);
      await untilWaitingForLock(stage.knex, {
        query: '%ota_deployments%',
        timeout: 15_000,
      });
      const exit = once(killed, 'exit');
      killed.kill('SIGKILL');
      await exit;
    } finally {
      await hold.rollback();
    }
    expect((await fleet.detail(id)).released_devices).to.equal(0);
    const worker = await openServer(stage.knex, { role: 'worker', config });
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

/** A killed worker holds its lease as long as its own configuration says, so it gets its successor's. */
function startWorker(databaseUrl: string, config: object): ChildProcess {
  const program = path.resolve(import.meta.dirname, '../support/worker-process.ts');
  const child = spawn(process.execPath, ['--import=tsx', program], {
    env: { ...process.env, DATABASE_URL: databaseUrl, WORKER_CONFIG: JSON.stringify(config) },
    stdio: 'ignore',
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  return child;
}
