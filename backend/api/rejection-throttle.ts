import { setTimeout as delay } from 'node:timers/promises';

/**
 * Limits how fast rejections are sent. A rejection is cheap, but clients that ignore `Retry-After` and retry at once
 * can keep a process fully busy with rejections. Up to the limit, rejections are sent immediately; the rest wait for
 * a later interval, which slows such clients down.
 */
export class RejectionThrottle {
  readonly #perInterval: number;
  readonly #intervalMs: number;
  readonly #waiting: (() => void)[] = [];
  #remaining: number;
  #isRunning = false;

  constructor({ perInterval, intervalMs }: { perInterval: number; intervalMs: number }) {
    this.#perInterval = perInterval;
    this.#intervalMs = intervalMs;
    this.#remaining = perInterval;
  }

  /** Resolves when the rejection may be sent, in the order of the calls. */
  async wait(): Promise<void> {
    if (!this.#isRunning) void this.#run();
    if (this.#remaining > 0) {
      this.#remaining -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Runs until an interval passes without a rejection. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    do {
      await delay(this.#intervalMs, undefined, { ref: false });
      const released = this.#waiting.splice(0, this.#perInterval);
      this.#remaining = this.#perInterval - released.length;
      for (const release of released) release();
    } while (this.#remaining < this.#perInterval);
    this.#isRunning = false;
  }
}
