import type { Logger } from 'pino';

export interface PeriodicTask {
  /** Name of its lease, also used in logs and metrics. */
  name: string;
  everySeconds: number;
  run(): Promise<void>;
}

/** Leases shared by all processes: `backend/database/leases.ts`. */
export interface Leases {
  /** Returns whether this process now holds the lease, for so many seconds. */
  take(name: string, seconds: number): Promise<boolean>;
  /** Records that the work was completed. */
  done(name: string): Promise<void>;
}

/** A lease expires a little before the next tick, so that the tick can take it. */
const SHARE_OF_INTERVAL = 0.9;

/**
 * Work that must run periodically even if the queue is unavailable. Timers in the worker processes start
 * it, and leases ensure that one process at a time runs it. Jobs would not do: a job can fail permanently,
 * be lost, or wait in the queue forever.
 */
export class PeriodicWork {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    private readonly tasks: PeriodicTask[],
    private readonly leases: Leases,
    private readonly logger: Logger,
  ) {}

  start(): void {
    for (const task of this.tasks) {
      this.#tick(task);
      this.#timers.push(setInterval(() => this.#tick(task), task.everySeconds * 1_000));
    }
  }

  /** Stops the timers and waits for running tasks. */
  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#running.values());
  }

  /** Does nothing if the previous run in this process has not finished. */
  #tick(task: PeriodicTask): void {
    if (this.#running.has(task.name)) return;
    const run = this.#runIfLeased(task)
      .catch((error: unknown) => {
        this.logger.warn(
          { err: error, work: task.name },
          'periodic work failed; it will run again',
        );
      })
      .finally(() => this.#running.delete(task.name));
    this.#running.set(task.name, run);
  }

  async #runIfLeased({ name, everySeconds, run }: PeriodicTask): Promise<void> {
    if (!(await this.leases.take(name, everySeconds * SHARE_OF_INTERVAL))) return;
    await run();
    await this.leases.done(name);
  }
}
