import { takeInterrupts } from '../interrupts.ts';

/** What the demo started, to be ended in reverse, whether it came to its end or was interrupted. */
export class Cleanup {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Resolves with the exit code of an interrupted program when somebody presses Ctrl+C. */
  onInterrupt(): Promise<number> {
    const { asked, insisted } = takeInterrupts();
    void insisted.then(() => process.exit(130));
    return asked.then(() => 130);
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
