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
import { FORMER_PERIODIC_JOBS, QUEUE_NAME, UnusableJobError } from './queue.ts';
import type { RolloutQueue } from './rollout-queue.ts';
import { logSparingly } from './throttled-log.ts';

/** How soon a worker looks again after its store was away. */
const RETRY_DELAY_MS = 2_000;
/**
 * The job of a worker that died or stands still is taken over after at most both together. Jobs are
 * short, and one that runs twice does no harm.
 */
const JOB_LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;

export interface WorkerSettings {
  concurrency: number;
}

/** The consuming side of the queue: runs the processors. */
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
    this.#worker.on('error', logSparingly(logger, 'job worker disturbed'));
    this.#worker.on('failed', (job, error) => {
      logger.warn({ err: error, ...traceOf(job) }, 'job failed');
    });
  }

  async open(): Promise<void> {
    await this.#worker.waitUntilReady();
    await this.queue.forgetFormerJobs().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'jobs of the release before could not be taken away');
    });
  }

  /**
   * Waits for the jobs at work. With Redis away their ends cannot be told, and BullMQ would wait for it
   * to come back: then the jobs are left to whoever takes them over.
   */
  async close(): Promise<void> {
    const isAway = this.#redis !== undefined && this.#redis.status !== 'ready';
    await this.#worker.close(isAway);
    this.#redis?.disconnect();
  }
}

function toProcessor(processors: JobProcessors, logger: Logger): Processor {
  return async (job) => {
    if (FORMER_PERIODIC_JOBS.includes(job.name)) return;
    const processor = processors[job.name as keyof JobProcessors] as
      ((payload: unknown) => Promise<void>) | undefined;
    // A newer release may have queued what this one does not know. Given back, it waits for a worker of
    // that release; should none come in time, its reconciler makes up for it.
    if (!processor) throw new Error(`unknown job ${job.name}: left for workers of its release`);
    try {
      await processor(job.data);
      logger.debug(traceOf(job), 'job done');
    } catch (error) {
      if (error instanceof UnusableJobError) throw new UnrecoverableError(error.message);
      throw error;
    }
  };
}

/** What every log line about a job says of it; its payload may come from any release. */
function traceOf(job: Job | undefined): Record<string, unknown> {
  const payload = (job?.data ?? {}) as { deployment_id?: unknown };
  return {
    job: job?.name,
    job_id: job?.id,
    attempts: job?.attemptsMade,
    ...(typeof payload.deployment_id === 'string' && { deployment_id: payload.deployment_id }),
  };
}
