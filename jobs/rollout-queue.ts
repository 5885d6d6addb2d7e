import { Queue, createPostgresBackend, withBackend, type Job, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RolloutJobs } from '../backend/deployments/model/rollout-jobs.ports.ts';
import { DomainError } from '../backend/kernel/errors.ts';
import type { QueueFigures } from '../backend/observability/gauges.ts';
import type { QueueLocation } from './queue-backend.ts';
import {
  FORMER_PERIODIC_JOBS,
  QUEUE_NAME,
  scheduledStartId,
  type JobName,
  type JobPayloads,
} from './queue.ts';
import { logSparingly } from './throttled-log.ts';

/** A queue that does not take a job within this time counts as away. */
const PATIENCE_MS = 3_000;
const RETRY_AFTER_SECONDS = 5;
const PROOF_SECONDS = 60;

const JOB_OPTIONS: JobsOptions = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 500 },
  removeOnComplete: true,
  // The reconciler makes up for a job that failed for good; keeping it would only fill the store.
  removeOnFail: { age: 24 * 60 * 60, count: 1_000 },
};

/** The producing side of the queue, on either backend. */
export class RolloutQueue implements RolloutJobs {
  readonly #queue: Pick<
    Queue,
    | 'add'
    | 'removeJobScheduler'
    | 'getJobCounts'
    | 'getWaiting'
    | 'getDelayed'
    | 'close'
    | 'waitUntilReady'
    | 'on'
  >;
  readonly #redis: Redis | undefined;
  /** Key of what is written to see whether Redis takes anything. */
  readonly #proof: string = '';

  constructor(location: QueueLocation, logger: Logger) {
    if (location.kind === 'redis') {
      this.#redis = location.connect('producer');
      this.#proof = `${location.prefix}:proof`;
      this.#queue = new Queue(QUEUE_NAME, {
        connection: this.#redis,
        prefix: location.prefix,
        defaultJobOptions: JOB_OPTIONS,
        skipWaitingForReady: true,
      });
    } else {
      const { Queue: PostgresQueue } = withBackend(createPostgresBackend);
      this.#queue = new PostgresQueue(QUEUE_NAME, {
        connection: location.connection,
        defaultJobOptions: JOB_OPTIONS,
      }) as unknown as Queue;
    }
    this.#queue.on('error', logSparingly(logger, 'job queue disturbed'));
  }

  /**
   * Waits until the queue can be used, and prepares its schema, which may take longer than handing
   * over a job. Throws `queue_unavailable`.
   */
  async open(): Promise<void> {
    try {
      await this.#queue.waitUntilReady();
    } catch (error) {
      throw queueUnavailable(error);
    }
  }

  async assertAvailable(): Promise<void> {
    // On PostgreSQL the queue is away exactly when the database is, which says so itself.
    // One that is full or a replica answers a ping, and takes no job.
    if (this.#redis) await this.#reach(this.#redis.set(this.#proof, '1', 'EX', PROOF_SECONDS));
  }

  async releaseBatch(deploymentId: string, batch: number): Promise<void> {
    await this.#add('release-batch', { deployment_id: deploymentId, batch });
  }

  async skipPending(deploymentId: string): Promise<void> {
    await this.#add('skip-pending', { deployment_id: deploymentId });
  }

  async retryFailed(deploymentId: string): Promise<void> {
    await this.#add('retry-failed', { deployment_id: deploymentId });
  }

  async startAt(deploymentId: string, at: Date): Promise<void> {
    await this.#add(
      'scheduled-start',
      { deployment_id: deploymentId },
      {
        jobId: scheduledStartId(deploymentId),
        delay: Math.max(0, at.getTime() - Date.now()),
        // Its id must not outlive it: a later job of the same id would be ignored.
        removeOnFail: true,
      },
    );
  }

  /** Takes away what the release before kept coming. */
  async forgetFormerJobs(): Promise<void> {
    for (const name of FORMER_PERIODIC_JOBS)
      await this.#reach(this.#queue.removeJobScheduler(name));
  }

  /** Throws `queue_unavailable`. */
  async figures(): Promise<QueueFigures> {
    const counts = await this.#reach(
      this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed'),
    );
    const last = Math.max(0, (counts['waiting'] ?? 0) - 1);
    const candidates = await this.#reach(
      Promise.all([
        // Redis gives the oldest first, PostgreSQL the newest.
        this.#queue.getWaiting(0, 0),
        this.#queue.getWaiting(last, last),
        // The one that is due first.
        this.#queue.getDelayed(0, 0),
      ]),
    );
    const due = candidates.flat().map(dueAt);
    const lagMs = due.length > 0 ? Date.now() - Math.min(...due) : 0;
    const count = (state: string): number => counts[state] ?? 0;
    return {
      waiting: count('waiting'),
      active: count('active'),
      delayed: count('delayed'),
      failed: count('failed'),
      lagSeconds: Math.max(0, lagMs / 1_000),
    };
  }

  async close(): Promise<void> {
    await this.#queue.close();
    // BullMQ leaves a connection open that it was given.
    this.#redis?.disconnect();
  }

  async #add<Name extends JobName>(
    name: Name,
    payload: JobPayloads[Name],
    options: JobsOptions = {},
  ): Promise<void> {
    await this.#reach(this.#queue.add(name, payload, options));
  }

  async #reach<T>(request: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), PATIENCE_MS);
    });
    try {
      return await Promise.race([request, patience]);
    } catch (error) {
      throw queueUnavailable(error);
    } finally {
      clearTimeout(timer);
      request.catch(() => undefined);
    }
  }
}

/** A job that failed waits from its last try on. */
function dueAt(job: Job): number {
  return Math.max(job.timestamp, job.processedOn ?? 0) + job.delay;
}

function queueUnavailable(cause: unknown): DomainError {
  return new DomainError(
    'queue_unavailable',
    'The job queue does not answer. Nothing was changed; try again shortly.',
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}
