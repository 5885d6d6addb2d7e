import type { Logger } from 'pino';

/**
 * What has to be undone, collected as it is done and undone in reverse. One step that fails keeps no
 * other from running; a second run does nothing.
 */
export class Teardown {
  readonly #steps: { name: string; undo: () => unknown }[] = [];
  #running: Promise<void> | undefined;

  constructor(private readonly logger: Logger) {}

  add(name: string, undo: () => unknown): void {
    this.#steps.push({ name, undo });
  }

  /** Asked again while it runs, it resolves with the first run, not before. */
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
