import type { Logger } from 'pino';

/**
 * Collects the steps that undo an activation and runs them in reverse order. A step that fails is logged and does not
 * stop the others. Each step runs once.
 */
export class Teardown {
  readonly #steps: { name: string; undo: () => unknown }[] = [];
  #running: Promise<void> | undefined;

  constructor(private readonly logger: Logger) {}

  add(name: string, undo: () => unknown): void {
    this.#steps.push({ name, undo });
  }

  /** A call during a run resolves when that run is done. */
  run(): Promise<void> {
    this.#running ??= this.#undoAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #undoAll(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        this.logger.error({ err: error, step: step.name }, 'teardown step failed');
      }
    }
  }
}
