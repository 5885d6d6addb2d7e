import { Queue, createPostgresBackend, withBackend, type Job, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RolloutJobs } from '../backend/deployments/model/rollout-jobs.ports.ts';
import { DomainError } from '../backend/kernel/errors.ts';
import type { QueueFigures } from '../backend/observability/gauges.ts';
import type { QueueLocation } from './queue-backend.ts';
import {
  OBSOLETE_JOBS,
  QUEUE_NAME,
  scheduledStartId,
  type JobName,
  type JobPayloads,
} from './queue.ts';
import { throttledLog } from './throttled-log.ts';

/** A queue that does not respond within this time is unavailable. */
const TIMEOUT_MS = 3_000;
const RETRY_AFTER_SECONDS = 5;
const WRITE_CHECK_TTL_SECONDS = 60;

const JOB_OPTIONS: JobsOptions = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 500 },
  removeOnComplete: true,
  // Failed jobs are kept for inspection only: the reconciler does their work.
  removeOnFail: { age: 24 * 60 * 60, count: 1_000 },
};

/** Enqueues jobs, in Redis or PostgreSQL. Methods throw `queue_unavailable` if it does not respond. */
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
  /** Redis key that {@link assertAvailable} writes. */
  readonly #writeCheckKey: string = '';

  constructor(location: QueueLocation, logger: Logger) {
    if (location.kind === 'redis') {
      this.#redis = location.connect('producer');
      this.#writeCheckKey = `${location.prefix}:write-check`;
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
    this.#queue.on('error', throttledLog(logger, 'job queue connection error'));
  }

  /** Connects and migrates the queue's schema. No timeout, because a migration may take long. */
  async open(): Promise<void> {
    try {
      await this.#queue.waitUntilReady();
    } catch (error) {
      throw queueUnavailable(error);
    }
  }

  /** Checks that Redis accepts writes. A queue in PostgreSQL is covered by the check of the database. */
  async assertAvailable(): Promise<void> {
    if (!this.#redis) return;
    // Not a ping: a replica or a full Redis answers pings but rejects jobs.
    const write = this.#redis.set(this.#writeCheckKey, '1', 'EX', WRITE_CHECK_TTL_SECONDS);
    await this.#withTimeout(write);
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
        // A failed job that stays would block its id: BullMQ ignores a new job with an existing id.
        removeOnFail: true,
      },
    );
  }

  /** Removes the schedules of {@link OBSOLETE_JOBS}. */
  async removeObsoleteJobs(): Promise<void> {
    for (const name of OBSOLETE_JOBS) await this.#withTimeout(this.#queue.removeJobScheduler(name));
  }

  /** Number of jobs by state, and the delay of the job that has been due the longest. */
  async figures(): Promise<QueueFigures> {
    const counts = await this.#withTimeout(
      this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed'),
    );
    const last = Math.max(0, (counts['waiting'] ?? 0) - 1);
    const candidates = await this.#withTimeout(
      Promise.all([
        // Redis returns the oldest job first, PostgreSQL the newest.
        this.#queue.getWaiting(0, 0),
        this.#queue.getWaiting(last, last),
        // The delayed job that is due first.
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
    // BullMQ does not close connections that were passed to it.
    this.#redis?.disconnect();
  }

  async #add<Name extends JobName>(
    name: Name,
    payload: JobPayloads[Name],
    options: JobsOptions = {},
  ): Promise<void> {
    await this.#withTimeout(this.#queue.add(name, payload, options));
  }

  async #withTimeout<T>(request: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('timed out')), TIMEOUT_MS);
    });
    try {
      return await Promise.race([request, timeout]);
    } catch (error) {
      throw queueUnavailable(error);
    } finally {
      clearTimeout(timer);
      request.catch(() => undefined);
    }
  }
}

/** When the job became due, in ms since the epoch. A retried job waits since its last attempt. */
function dueAt(job: Job): number {
  return Math.max(job.timestamp, job.processedOn ?? 0) + job.delay;
}

function queueUnavailable(cause: unknown): DomainError {
  return new DomainError(
    'queue_unavailable',
    'The job queue does not respond. Nothing was changed; try again shortly.',
    {},
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}
