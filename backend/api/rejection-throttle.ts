import { setTimeout as delay } from 'node:timers/promises';

/**
 * How fast refusals go out. A refusal is cheap, and yet clients that come again at once, whatever
 * `Retry-After` says, can keep a process busy with nothing else. Up to the pace each one is answered
 * at once; what is beyond waits for its turn, and so do the clients that would not.
 */
export class RejectionThrottle {
  readonly #perTurn: number;
  readonly #turnMs: number;
  readonly #waiting: (() => void)[] = [];
  #left: number;
  #isRunning = false;

  constructor({ perTurn, turnMs }: { perTurn: number; turnMs: number }) {
    this.#perTurn = perTurn;
    this.#turnMs = turnMs;
    this.#left = perTurn;
  }

  /** Resolves when the refusal may go out; they go in the order they came. */
  async turn(): Promise<void> {
    if (!this.#isRunning) void this.#run();
    if (this.#left > 0) {
      this.#left -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Until a whole turn has passed with room to spare. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    do {
      await delay(this.#turnMs, undefined, { ref: false });
      const going = this.#waiting.splice(0, this.#perTurn);
      this.#left = this.#perTurn - going.length;
      for (const go of going) go();
    } while (this.#left < this.#perTurn);
    this.#isRunning = false;
  }
}
