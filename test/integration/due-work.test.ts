/** The reconciler does all due work, whatever the state of the queue. */
import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import { pino } from 'pino';

import { KnexLeases } from '../../backend/database/leases.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { PeriodicWork } from '../../jobs/periodic-work.ts';
import { withQueue } from '../support/job-queue.ts';
import { createFleet, startServer, startOta, type OtaServer } from '../support/ota-server.ts';

const SOON = { reconcile_seconds: 1, timeout_sweep_seconds: 1 };

describe('due work', function () {
  this.timeout(30_000);
  let ota: OtaServer;

  beforeEach(async () => {
    ota = await startOta({ role: 'api', redisUrl: null });
  });
  afterEach(() => ota.close());

  async function withWorker<T>(work: () => Promise<T>): Promise<T> {
    const worker = await startServer(ota.knex, { role: 'worker', redisUrl: null, config: SOON });
    try {
      return await work();
    } finally {
      await worker.close();
    }
  }

  it('G01 starts a scheduled deployment whose job id is blocked by an old job', async () => {
    const fleet = await createFleet(ota, 1);
    const at = new Date(Date.now() + 1_500).toISOString();
    const { deployment_id: id } = await fleet.create({ scheduled_at: at });
    await withQueue(ota.knex, async (jobs) => {
      await jobs.obliterate({ force: true });
      // An earlier release left such jobs behind, which block their ids for a day.
      await jobs.add(
        'scheduled-start',
        { deployment_id: id },
        {
          jobId: `scheduled-start-${id}`,
          delay: 24 * 3_600_000,
        },
      );
      await withWorker(() => fleet.until(id, ({ status }) => status === 'in_progress'));
    });
  });

  it('G01 is done by workers even if the queue is paused', async () => {
    const fleet = await createFleet(ota, 4);
    const started = await fleet.create({ rollout_strategy: 'rolling', batch_size: 2 });
    const cancelled = await fleet.create();
    await withQueue(ota.knex, async (jobs) => {
      await jobs.pause();
      await fleet.act(started.deployment_id, 'start');
      await fleet.act(cancelled.deployment_id, 'cancel');
      await ota
        .knex('ota_deployment_devices')
        .where({ deployment_id: cancelled.deployment_id })
        .update({ status: 'pending', skip_reason: null });
      await ota
        .knex('ota_deployment_batches')
        .where({ deployment_id: cancelled.deployment_id })
        .update({ pending: 4, skipped: 0 });
      await withWorker(async () => {
        const { deployment_id: id } = started;
        await fleet.untilReleased(id, 2);
        for (const device of await fleet.batch(id, 1)) await fleet.reports(device, id, 'completed');
        await fleet.untilReleased(id, 4);
        await fleet.until(cancelled.deployment_id, ({ progress }) => progress.skipped === 4);
      });
      await jobs.resume();
    });
  });

  it('G02 does not pile up in the queue', async () => {
    const fleet = await createFleet(ota, 2);
    await withQueue(ota.knex, (jobs) =>
      withWorker(async () => {
        const ids = await Promise.all([1, 2, 3].map(() => fleet.rollOut()));
        const before = await leaseDone('reconcile');
        await jobs.pause();
        await waitFor(async () => (await leaseDone('reconcile')) >= before + 3_000, {
          timeout: 20_000,
          describe: 'the reconciler has run several times',
        });
        expect(ids).to.have.length(3);
        const { waiting = 0, delayed = 0, paused = 0 } = await jobs.getJobCounts();
        expect(waiting + delayed + paused).to.equal(0);
        await jobs.resume();
      }),
    );
  });

  it('G03 of a locked deployment does not delay others and is done later', async () => {
    const fleet = await createFleet(ota, 2);
    const locked = await fleet.create();
    const free = await fleet.create();
    const blocker = await ota.knex.transaction();
    await fleet.act(locked.deployment_id, 'start');
    await fleet.act(free.deployment_id, 'start');
    await blocker('ota_deployments').where({ id: locked.deployment_id }).forUpdate();
    await withWorker(async () => {
      await fleet.untilReleased(free.deployment_id, 2);
      expect((await fleet.detail(locked.deployment_id)).released_devices).to.equal(0);
      await blocker.rollback();
      await fleet.untilReleased(locked.deployment_id, 2);
    });
  });

  it('G03 times out targets of other deployments while one deployment is locked', async () => {
    const fleet = await createFleet(ota, 2);
    await withWorker(async () => {
      const policy = { device_timeout_minutes: 1, failure_min_devices: 100 };
      const [first, second] = [
        await fleet.rollOut({ policy }),
        await fleet.rollOut({ policy }),
      ].sort();
      const [one, other] = fleet.devices;
      await fleet.reports(one!, first!, 'downloading');
      await fleet.reports(other!, second!, 'downloading');
      const blocker = await ota.knex.transaction();
      await blocker('ota_deployments').where({ id: first }).forUpdate();
      await ota
        .knex('ota_deployment_devices')
        .where({ status: 'downloading' })
        .update({ last_report_at: ota.knex.raw(`now() - interval '1 hour'`) });
      await fleet.until(second!, ({ progress }) => progress.failed === 1);
      await blocker.rollback();
      await fleet.until(first!, ({ progress }) => progress.failed === 1);
    });
  });

  async function leaseDone(name: string): Promise<number> {
    const row = await ota
      .knex('ota_leases')
      .where({ name })
      .first<{ done_at: Date | null } | undefined>('done_at');
    return row?.done_at?.getTime() ?? 0;
  }

  it('G01 is leased to one process at a time, and again after that process died', async () => {
    const leases = new KnexLeases(ota.knex);
    const name = randomUUID();
    expect(await Promise.all([1, 2, 3].map(() => leases.take(name, 60)))).to.have.members([
      true,
      false,
      false,
    ]);
    await ota.knex('ota_leases').where({ name }).update({ expires_at: ota.knex.fn.now() });
    expect(await leases.take(name, 60)).to.equal(true);
    expect((await leases.ages()).get(name)).to.satisfy(Number.isNaN);
    await leases.done(name);
    expect((await leases.ages()).get(name)).to.be.below(10);
  });

  it('G01 is repeated after a failure, and closing waits for running work', async () => {
    const runs: string[] = [];
    let finish: () => void = () => undefined;
    const work = new PeriodicWork(
      [
        {
          name: 'failing',
          everySeconds: 0.05,
          run: () => {
            runs.push('failing');
            return Promise.reject(new Error('fails'));
          },
        },
        {
          name: 'long',
          everySeconds: 0.05,
          run: () =>
            new Promise<void>((resolve) => {
              runs.push('long');
              finish = resolve;
            }),
        },
      ],
      { take: () => Promise.resolve(true), done: () => Promise.resolve() },
      pino({ level: 'silent' }),
    );
    work.start();
    await waitFor(() => runs.filter((run) => run === 'failing').length > 2, {
      describe: 'the failing work runs again',
    });
    expect(runs.filter((run) => run === 'long')).to.have.length(1);
    const closed = work.close().then(() => runs.push('closed'));
    finish();
    await closed;
    expect(runs.at(-1)).to.equal('closed');
  });
});
