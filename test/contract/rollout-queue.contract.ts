/** What the product requires of its queue, on either store. */
import { EventEmitter, once } from 'node:events';
import { randomBytes, randomUUID } from 'node:crypto';

import { expect } from 'chai';
import { pino } from 'pino';

import { readConfig } from '../../backend/config.ts';
import { createContainer } from '../../backend/container.ts';
import { createPluginKnex } from '../../backend/database/plugin-knex.ts';
import { DeploymentCreation } from '../../backend/deployments/creation/creation.service.ts';
import { DeploymentControl } from '../../backend/deployments/control/control.service.ts';
import type { DeploymentDraft } from '../../backend/deployments/model/deployment.types.ts';
import { defaultPolicy } from '../../backend/deployments/rules/rollout-policy.ts';
import { RolloutService } from '../../backend/deployments/rollout/rollout.service.ts';
import { DeviceService } from '../../backend/devices/device.service.ts';
import { PrometheusTelemetry } from '../../backend/observability/prometheus-telemetry.ts';
import { createProcessors, type JobProcessors } from '../../jobs/processors.ts';
import type { QueueLocation } from '../../jobs/queue-backend.ts';
import { InvalidJobError, type JobName } from '../../jobs/queue.ts';
import { RolloutQueue } from '../../jobs/rollout-queue.ts';
import { RolloutWorkers } from '../../jobs/workers.ts';
import { createFakeHost } from '../support/fake-host.ts';
import { withBullQueue } from '../support/job-queue.ts';
import { insertDevices } from '../support/seed.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { waitFor } from '../../dev/wait-for.ts';
import type { QueueStore } from './queue-stores.ts';
import { ChangeFeed } from '../../backend/deployments/model/change-feed.ports.ts';

const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });

const ROLLING_BY_FIVE: DeploymentDraft = {
  name: 'Five by five',
  targetVersion: 'v2.1.0',
  strategy: 'rolling',
  rolloutPercentage: null,
  batchSize: 5,
  policy: defaultPolicy('rolling'),
  updatePackageUrl: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
  checksum: 'ab'.repeat(32),
  releaseNotes: '',
  deviceFilters: {},
  skipUpToDate: false,
  stratifyBy: [],
  manifest: null,
  signature: null,
  packageName: null,
  scheduledAt: null,
};

type Work = (payload: unknown) => Promise<void>;

/** Processors that record their jobs and then run the test's own work. */
class Recorder {
  readonly runs: { name: JobName; payload: Record<string, unknown>; at: number }[] = [];
  readonly #done: JobName[] = [];
  readonly #happened = new EventEmitter().setMaxListeners(0);
  readonly processors: JobProcessors;

  constructor(work: Partial<Record<JobName, Work>> = {}) {
    const note =
      (name: JobName): Work =>
      async (payload) => {
        this.runs.push({ name, payload: payload as Record<string, unknown>, at: Date.now() });
        this.#happened.emit('run');
        await work[name]?.(payload);
        this.#done.push(name);
        this.#happened.emit('done');
      };
    this.processors = {
      'release-batch': note('release-batch'),
      'skip-pending': note('skip-pending'),
      'retry-failed': note('retry-failed'),
      'scheduled-start': note('scheduled-start'),
    };
  }

  of(name: JobName) {
    return this.runs.filter((run) => run.name === name);
  }

  /** Resolves when the job has started this many times. */
  async started(name: JobName, times = 1): Promise<void> {
    while (this.of(name).length < times) await once(this.#happened, 'run');
  }

  /** Resolves when the job has finished this many times. */
  async done(name: JobName, times: number): Promise<void> {
    const count = () => this.#done.filter((done) => done === name).length;
    while (count() < times) await once(this.#happened, 'done');
  }
}

export function rolloutQueueContract(
  name: string,
  openStore: () => Promise<QueueStore | null>,
): void {
  describe(`rollout queue on ${name}`, () => {
    let store: QueueStore;
    let prefix: string;
    let location: QueueLocation;
    let queue: RolloutQueue;
    let workers: RolloutWorkers[];

    before(async function () {
      const opened = await openStore();
      if (opened === null) return this.skip();
      store = opened;
    });

    after(() => store?.close());

    beforeEach(async () => {
      prefix = `q_${randomBytes(6).toString('hex')}`;
      location = await store.locate(prefix);
      queue = new RolloutQueue(location, logger);
      workers = [];
      await queue.open();
    });

    afterEach(async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await queue.close();
    });

    async function work(
      processors: JobProcessors,
      settings: { concurrency?: number } = {},
    ): Promise<RolloutWorkers> {
      const { concurrency = 5 } = settings;
      const worker = new RolloutWorkers(location, queue, processors, { concurrency }, logger);
      workers.push(worker);
      await worker.open();
      return worker;
    }

    it('runs every enqueued job with its payload', async () => {
      const recorder = new Recorder();
      const id = randomUUID();
      await queue.releaseBatch(id, 2);
      await work(recorder.processors);
      await queue.skipPending(id);
      await queue.retryFailed(id);
      await queue.startAt(id, new Date());
      await recorder.started('release-batch');
      await recorder.started('skip-pending');
      await recorder.started('retry-failed');
      await recorder.started('scheduled-start');
      expect(recorder.of('release-batch')[0]?.payload).to.include({ deployment_id: id, batch: 2 });
      for (const job of ['skip-pending', 'retry-failed', 'scheduled-start'] as const) {
        expect(recorder.of(job)[0]?.payload, job).to.include({ deployment_id: id });
      }
    });

    it('reports how many jobs are waiting and how long the oldest is overdue', async () => {
      const idle = await queue.figures();
      expect(idle).to.deep.equal({ waiting: 0, active: 0, delayed: 0, failed: 0, lagSeconds: 0 });
      await queue.startAt(randomUUID(), new Date(Date.now() + 60_000));
      expect(await queue.figures()).to.include({ delayed: 1, lagSeconds: 0 });
      await queue.retryFailed(randomUUID());
      await waitFor(async () => (await queue.figures()).lagSeconds > 0.1, {
        describe: 'the unprocessed job is overdue',
      });
      await queue.retryFailed(randomUUID());
      const later = await queue.figures();
      expect(later).to.include({ waiting: 2, active: 0, delayed: 1 });
      // The lag is that of the oldest job, not of the newest.
      expect(later.lagSeconds).to.be.greaterThan(0.1);
      const recorder = new Recorder();
      await work(recorder.processors);
      await recorder.done('retry-failed', 2);
      await waitFor(async () => (await queue.figures()).waiting === 0, {
        describe: 'no job is waiting',
      });
      expect((await queue.figures()).lagSeconds).to.be.lessThan(5);
    });

    it('reports a due job as overdue even if no worker is running', async () => {
      await queue.startAt(randomUUID(), new Date(Date.now() + 500));
      await waitFor(async () => (await queue.figures()).lagSeconds > 1.5, {
        describe: 'the unprocessed scheduled job is overdue',
      });
    });

    it('runs a scheduled start at its time and not earlier', async () => {
      const recorder = new Recorder();
      await work(recorder.processors);
      const later = new Date(Date.now() + 1_200);
      const scheduled = randomUUID();
      await queue.startAt(scheduled, later);
      await queue.startAt(scheduled, later);
      const overdue = randomUUID();
      await queue.startAt(overdue, new Date(Date.now() - 60_000));
      await queue.retryFailed(overdue);
      await recorder.started('retry-failed');
      await recorder.started('scheduled-start', 2);
      const [first, second] = recorder.of('scheduled-start');
      expect(first?.payload).to.include({ deployment_id: overdue });
      expect(second?.payload).to.include({ deployment_id: scheduled });
      expect(second?.at).to.be.at.least(later.getTime());
      expect(second?.at).to.be.below(later.getTime() + 5_000);
      // It was enqueued twice. A later job shows that it only ran once.
      await queue.retryFailed(scheduled);
      await recorder.done('retry-failed', 2);
      expect(recorder.of('scheduled-start')).to.have.length(2);
    });

    it('F66 releases each batch once when jobs are delivered more than once', async () => {
      const database = await createTestDatabase();
      const host = await createFakeHost({ knex: database.knex });
      const { context, admin, organizationId } = host;
      const container = createContainer({
        host: context,
        knex: createPluginKnex(database.knex),
        config: readConfig({}),
        jobs: queue,
        telemetry: new PrometheusTelemetry(),
      });
      const service = container.get(RolloutService);
      const recorder = new Recorder(createProcessors(service));
      const devices = await insertDevices(database.knex, 12, { organizationId });
      await work(recorder.processors);
      await work(recorder.processors);

      const identity = { ...admin, userId: admin.id, address: null, requestId: 'test' };
      const creation = container.get(DeploymentCreation);
      const { deployment_id: id } = await creation.create(identity, ROLLING_BY_FIVE);
      await container.get(DeploymentControl).start(identity, id);
      await deliverAgain(id, 1);
      const first = await progress(id);
      expect(first).to.deep.equal({ status: 'in_progress', released: 5, releases: [1] });

      const released = await database
        .knex('ota_deployment_devices')
        .where('deployment_id', id)
        .where('position', '<', 5)
        .pluck<string[]>('device_id');
      const reports = container.get(DeviceService);
      for (const device of devices.filter((one) => released.includes(one.id))) {
        const deviceId = { deviceId: device.id, organizationId };
        await reports.report(deviceId, id, { status: 'completed' });
      }
      await deliverAgain(id, 2);
      const second = await progress(id);
      expect(second).to.deep.equal({ status: 'in_progress', released: 10, releases: [1, 2] });
      await container.get<{ close(): Promise<void> }>(ChangeFeed).close();
      await host.close();
      await database.drop();

      /** In addition to the release job that the product enqueued. */
      async function deliverAgain(deploymentId: string, batch: number): Promise<void> {
        const before = recorder.of('retry-failed').length;
        await Promise.all([
          ...[1, 2, 3].map(() => queue.releaseBatch(deploymentId, batch)),
          ...[1, 2, 3].map(() => queue.retryFailed(deploymentId)),
        ]);
        await recorder.done('release-batch', batch * 4);
        await recorder.done('retry-failed', before + 3);
      }

      async function progress(deploymentId: string) {
        const row = await database
          .knex('ota_deployments')
          .where({ id: deploymentId })
          .first<{ status: string; released_devices: number }>();
        const events = await database
          .knex('ota_events')
          .where({ deployment_id: deploymentId, type: 'batch_released' })
          .orderBy('id')
          .select<{ data: { batch: number } }[]>('data');
        return {
          status: row.status,
          released: row.released_devices,
          releases: events.map(({ data }) => data.batch),
        };
      }
    });

    it('retries a failed job', async () => {
      let failures = 0;
      const recorder = new Recorder({
        'retry-failed': () =>
          failures++ === 0 ? Promise.reject(new Error('first attempt fails')) : Promise.resolve(),
      });
      await work(recorder.processors);
      const id = randomUUID();
      await queue.retryFailed(id);
      await recorder.started('retry-failed', 2);
      expect(recorder.of('retry-failed').map(({ payload }) => payload.deployment_id)).to.deep.equal(
        [id, id],
      );
    });

    it('does not retry a job with an invalid payload', async () => {
      const reached: string[] = [];
      let failures = 0;
      const rollout = {
        releaseBatch: (id: string) => Promise.resolve(void reached.push(id)),
        retryFailed: () =>
          failures++ === 0 ? Promise.reject(new Error('first attempt fails')) : Promise.resolve(),
      };
      const { 'release-batch': release, 'retry-failed': retry } = createProcessors(
        rollout as unknown as RolloutService,
      );
      const recorder = new Recorder({ 'release-batch': release, 'retry-failed': retry });
      await work(recorder.processors);
      await queue.releaseBatch('not an id', 1);
      await recorder.started('release-batch');
      // A job that is retried shows that the retry delay has passed.
      await queue.retryFailed(randomUUID());
      await recorder.started('retry-failed', 2);
      const usable = randomUUID();
      await queue.releaseBatch(usable, 1);
      await recorder.started('release-batch', 2);
      expect(
        recorder.of('release-batch').map(({ payload }) => payload.deployment_id),
      ).to.deep.equal(['not an id', usable]);
      expect(reached).to.deep.equal([usable]);
    });

    it('F64 runs jobs again after the store lost all its data', async () => {
      const recorder = new Recorder();
      await work(recorder.processors);
      await queue.retryFailed(randomUUID());
      await recorder.done('retry-failed', 1);
      await store.empty(prefix);
      await queue.retryFailed(randomUUID());
      await recorder.done('retry-failed', 2);
    });

    it('G01 accepts a scheduled start again after its job failed for good', async () => {
      const id = randomUUID();
      let failures = 0;
      const recorder = new Recorder({
        'scheduled-start': () =>
          failures++ === 0
            ? Promise.reject(new InvalidJobError('scheduled-start', 'fails for good'))
            : Promise.resolve(),
      });
      await work(recorder.processors);
      await queue.startAt(id, new Date());
      await recorder.started('scheduled-start');
      await waitFor(
        async () => {
          const { waiting, active, delayed } = await queue.figures();
          return waiting + active + delayed === 0;
        },
        { describe: 'the job has failed for good' },
      );
      await queue.startAt(id, new Date());
      await recorder.done('scheduled-start', 1);
    });

    it('G01 removes the job schedulers of earlier releases and drops their jobs', async () => {
      await withBullQueue(location, async (former) => {
        for (const name of ['reconcile', 'sweep-timeouts']) {
          await former.upsertJobScheduler(name, { every: 1_000 }, { name, data: {} });
        }
        await work(new Recorder().processors);
        expect(await former.getJobSchedulers()).to.deep.equal([]);
        await former.add('reconcile', {});
        await waitFor(async () => (await former.getJobCountByTypes('wait', 'active')) === 0, {
          describe: 'the leftover job is processed',
        });
        expect(await former.getFailedCount()).to.equal(0);
      });
    });

    it('F70 waits for the running job before a worker closes', async () => {
      const order: string[] = [];
      let finish = (): void => undefined;
      const recorder = new Recorder({
        'retry-failed': () =>
          new Promise<void>((resolve) => {
            finish = () => {
              order.push('job finished');
              resolve();
            };
          }),
      });
      const closing = await work(recorder.processors);
      await queue.retryFailed(randomUUID());
      await recorder.started('retry-failed');
      const closed = closing.close().then(() => order.push('closed'));
      // Another worker opens, runs a job and closes. The first worker is still closing.
      const other = new Recorder();
      const second = await work(other.processors);
      await queue.skipPending(randomUUID());
      await other.started('skip-pending');
      await second.close();
      order.push('another worker closed');
      finish();
      await closed;
      expect(order).to.deep.equal(['another worker closed', 'job finished', 'closed']);
      expect(recorder.of('skip-pending')).to.have.length(0);
    });

    it('returns a job of a newer release to the queue for a worker of that release', async () => {
      const older = new Recorder();
      const { 'skip-pending': unknown, ...known } = older.processors;
      expect(unknown).to.be.a('function');
      const olderWorker = await work(known as JobProcessors);
      const id = randomUUID();
      await queue.skipPending(id);
      await queue.retryFailed(id);
      await older.done('retry-failed', 1);
      await waitFor(async () => (await queue.figures()).delayed > 0, {
        describe: 'the older worker returns the job',
      });
      await olderWorker.close();
      const newer = new Recorder();
      await work(newer.processors);
      await newer.done('skip-pending', 1);
      expect(newer.of('skip-pending')[0]?.payload).to.include({ deployment_id: id });
    });

    it('F64 F70 closes a worker while the store is offline and leaves no timer running', async () => {
      const recorder = new Recorder();
      const worker = await work(recorder.processors);
      await queue.retryFailed(randomUUID());
      await recorder.done('retry-failed', 1);
      const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      await store.goOffline();
      try {
        const problem = await queue.retryFailed(randomUUID()).catch((error: unknown) => error);
        expect(problem).to.include({ code: 'queue_unavailable' });
        await worker.close();
        await queue.close();
        await waitFor(
          () =>
            process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length <= before,
          { describe: () => process.getActiveResourcesInfo().join(', ') },
        );
      } finally {
        await store.goOnline();
      }
    });

    it('distributes the jobs among the workers and runs each once', async () => {
      const done: string[] = [];
      const arrivals = new EventEmitter();
      const together = new Set<string>();
      const worker = (own: string) =>
        new Recorder({
          'retry-failed': async (payload) => {
            together.add(own);
            arrivals.emit('arrival');
            // Each worker's first job waits for the other worker, so one cannot run all of them.
            while (together.size < 2) await once(arrivals, 'arrival');
            done.push((payload as { deployment_id: string }).deployment_id);
          },
        });
      const recorders = [worker('one'), worker('other')];
      for (const { processors } of recorders) await work(processors, { concurrency: 1 });
      const ids = Array.from({ length: 12 }, () => randomUUID());
      await Promise.all(ids.map((id) => queue.retryFailed(id)));
      await waitFor(() => done.length >= ids.length, { describe: 'all jobs have run' });
      expect(done).to.have.members(ids);
      for (const recorder of recorders) expect(recorder.runs).to.not.have.length(0);
    });

    it('F64 soon reports that the store is offline and recovers by itself', async () => {
      const recorder = new Recorder();
      await work(recorder.processors);
      await store.goOffline();
      const begin = Date.now();
      const problem = await queue.retryFailed(randomUUID()).catch((error: unknown) => error);
      expect(problem).to.include({ name: 'DomainError', code: 'queue_unavailable' });
      expect((problem as { retryAfterSeconds: number }).retryAfterSeconds).to.be.above(0);
      expect(Date.now() - begin).to.be.below(5_000);
      if (location.kind === 'redis') {
        const health = await queue.assertAvailable().catch((error: unknown) => error);
        expect(health).to.include({ code: 'queue_unavailable' });
      }

      await store.goOnline();
      const id = randomUUID();
      await waitFor(() => queue.retryFailed(id).then(() => true), {
        describe: 'the producer reaches the store again',
        timeout: 10_000,
      });
      await queue.assertAvailable();
      await waitFor(() => recorder.runs.some(({ payload }) => payload.deployment_id === id), {
        describe: 'the worker runs jobs again',
        timeout: 15_000,
      });
    });

    it('stores nothing outside its own namespace', async () => {
      const recorder = new Recorder();
      await work(recorder.processors);
      await queue.startAt(randomUUID(), new Date(Date.now() + 3_600_000));
      await queue.retryFailed(randomUUID());
      await recorder.started('retry-failed');
      expect(await store.ownEntries(prefix)).to.not.have.length(0);
      const others = (await store.strayEntries(prefix)).filter((entry) => !entry.includes('q_'));
      expect(others).to.deep.equal([]);
      if (location.kind === 'redis') expect(location.prefix).to.equal(`{${prefix}}`);
    });
  });
}
