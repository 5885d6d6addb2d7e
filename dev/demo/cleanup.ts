import { catchInterrupts } from '../../backend/server/host/interrupts.ts';

/** Stops what the demo started, in reverse order, after it finished or was interrupted. */
export class Cleanup {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Resolves with exit code 130 on the first Ctrl+C; a second one exits at once. */
  onInterrupt(): Promise<number> {
    const { stopRequested, forceStopRequested } = catchInterrupts();
    void forceStopRequested.then(() => process.exit(130));
    return stopRequested.then(() => 130);
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        console.error(error);
      }
    }
  }
}
