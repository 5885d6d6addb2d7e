/**
 * Effects that must follow a commit: handing jobs to the queue, mostly. They are collected while the
 * transaction runs and dropped when it fails.
 */
export class AfterCommit {
  /** What log lines about the effects say besides: the request they come from. */
  readonly logContext: Record<string, unknown>;
  readonly #effects: (() => Promise<void>)[] = [];

  constructor(logContext: Record<string, unknown> = {}) {
    this.logContext = logContext;
  }

  add(effect: () => Promise<void>): void {
    this.#effects.push(effect);
  }

  async run(): Promise<void> {
    await Promise.all(this.#effects.map((effect) => effect()));
  }
}
