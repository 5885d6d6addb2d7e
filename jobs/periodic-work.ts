import type { Logger } from 'pino';

export interface PeriodicTask {
  /** Names its turn, its log lines and its figures. */
  name: string;
  everySeconds: number;
  run(): Promise<void>;
}

/** How processes take turns: `backend/database/leases.ts`. */
export interface Turns {
  take(name: string, seconds: number): Promise<boolean>;
  done(name: string): Promise<void>;
}

/** A turn ends a little before the next tick, which would find it taken otherwise. */
const SHARE_OF_INTERVAL = 0.9;

/**
 * What has to come again whatever becomes of the queue: it runs by the timers of the worker processes,
 * which take turns, and not as jobs, which can fail for good, be lost, or be there and never run.
 */
export class PeriodicWork {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    private readonly tasks: PeriodicTask[],
    private readonly turns: Turns,
    private readonly logger: Logger,
  ) {}

  start(): void {
    for (const task of this.tasks) {
      this.#tick(task);
      this.#timers.push(setInterval(() => this.#tick(task), task.everySeconds * 1_000));
    }
  }

  /** Resolves when what is at work has come to its end. */
  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#running.values());
  }

  /** Does nothing while the last run of this process goes on. */
  #tick(task: PeriodicTask): void {
    if (this.#running.has(task.name)) return;
    const run = this.#takeTurn(task)
      .catch((error: unknown) => {
        this.logger.warn({ err: error, work: task.name }, 'periodic work failed; it comes again');
      })
      .finally(() => this.#running.delete(task.name));
    this.#running.set(task.name, run);
  }

  async #takeTurn({ name, everySeconds, run }: PeriodicTask): Promise<void> {
    if (!(await this.turns.take(name, everySeconds * SHARE_OF_INTERVAL))) return;
    await run();
    await this.turns.done(name);
  }
}
