/** Runs one statement at a time, with an interval: requests that arrive meanwhile share the next one. */
export class StatementSlot {
  readonly #minIntervalMs: number;
  readonly #waiting: (() => void)[] = [];
  #taken = false;
  /** When the next statement may start, on the clock of `performance.now()`. */
  #earliest = -Infinity;

  /** @param minIntervalMs between the starts of two statements */
  constructor(minIntervalMs: number) {
    this.#minIntervalMs = minIntervalMs;
  }

  acquire(dispatch: () => void): void {
    if (this.#taken) {
      this.#waiting.push(dispatch);
    } else {
      this.#taken = true;
      this.#start(dispatch);
    }
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) this.#start(next);
    else this.#taken = false;
  }

  #start(dispatch: () => void): void {
    const now = performance.now();
    const waitMs = this.#earliest - now;
    this.#earliest = Math.max(this.#earliest, now) + this.#minIntervalMs;
    if (waitMs > 0) setTimeout(dispatch, waitMs);
    else setImmediate(dispatch);
  }
}
