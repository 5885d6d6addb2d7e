import {
  UnrecoverableError,
  Worker,
  createPostgresBackend,
  withBackend,
  type Job,
  type Processor,
} from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { JobProcessors } from './processors.ts';
import type { QueueLocation } from './queue-backend.ts';
import { InvalidJobError, OBSOLETE_JOBS, QUEUE_NAME } from './queue.ts';
import type { RolloutQueue } from './rollout-queue.ts';
import { throttledLog } from './throttled-log.ts';

/** Delay before a worker tries again after a connection error. */
const RETRY_DELAY_MS = 2_000;
/**
 * If a worker dies or hangs, another one takes over its job after at most the sum of both. Jobs are short,
 * and running one twice is harmless.
 */
const JOB_LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;

export interface WorkerSettings {
  /** Jobs that run at the same time. */
  concurrency: number;
}

/** Runs the jobs of the queue. */
export class RolloutWorkers {
  readonly #worker: Worker;
  readonly #redis: Redis | undefined;

  constructor(
    location: QueueLocation,
    private readonly queue: RolloutQueue,
    processors: JobProcessors,
    settings: WorkerSettings,
    private readonly logger: Logger,
  ) {
    const process = toProcessor(processors, logger);
    const options = {
      concurrency: settings.concurrency,
      runRetryDelay: RETRY_DELAY_MS,
      lockDuration: JOB_LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
    };
    if (location.kind === 'redis') {
      this.#redis = location.connect('worker');
      this.#worker = new Worker(QUEUE_NAME, process, {
        connection: this.#redis,
        prefix: location.prefix,
        ...options,
      });
    } else {
      const { Worker: PostgresWorker } = withBackend(createPostgresBackend);
      this.#worker = new PostgresWorker(QUEUE_NAME, process, {
        connection: location.connection,
        ...options,
      }) as unknown as Worker;
    }
    this.#worker.on('error', throttledLog(logger, 'job worker error'));
    this.#worker.on('failed', (job, error) => {
      logger.warn({ err: error, ...logFieldsOf(job) }, 'job failed');
    });
  }

  /** Resolves when the worker is connected. */
  async open(): Promise<void> {
    await this.#worker.waitUntilReady();
    await this.queue.removeObsoleteJobs().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'obsolete jobs could not be removed');
    });
  }

  /**
   * Waits for running jobs. If Redis is unavailable, BullMQ would wait for it in order to record their
   * results, so running jobs are abandoned instead and other workers take them over.
   */
  async close(): Promise<void> {
    const isDisconnected = this.#redis !== undefined && this.#redis.status !== 'ready';
    await this.#worker.close(isDisconnected);
    this.#redis?.disconnect();
  }
}

function toProcessor(processors: JobProcessors, logger: Logger): Processor {
  return async (job) => {
    if (OBSOLETE_JOBS.includes(job.name)) return;
    const processor = processors[job.name as keyof JobProcessors] as
      ((payload: unknown) => Promise<void>) | undefined;
    // During an upgrade, a newer release may enqueue jobs that this one lacks. Failing returns the job to
    // the queue for a worker of that release. If none picks it up in time, the reconciler does its work.
    if (!processor) throw new Error(`unknown job ${job.name}: left to workers of a newer release`);
    try {
      await processor(job.data);
      logger.debug(logFieldsOf(job), 'job done');
    } catch (error) {
      if (error instanceof InvalidJobError) throw new UnrecoverableError(error.message);
      throw error;
    }
  };
}

/** Log fields of a job. The payload is not validated here: another release may have enqueued it. */
function logFieldsOf(job: Job | undefined): Record<string, unknown> {
  const payload = (job?.data ?? {}) as { deployment_id?: unknown };
  return {
    job: job?.name,
    job_id: job?.id,
    attempts: job?.attemptsMade,
    ...(typeof payload.deployment_id === 'string' && { deployment_id: payload.deployment_id }),
  };
}
