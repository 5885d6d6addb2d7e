/**
 * Effects that must follow a commit: handing jobs to the queue, mostly. They are collected while the
 * transaction runs and dropped when it fails.
 */
export class AfterCommit {
  readonly #effects: (() => Promise<void>)[] = [];

  add(effect: () => Promise<void>): void {
    this.#effects.push(effect);
  }

  async run(): Promise<void> {
    await Promise.all(this.#effects.map((effect) => effect()));
  }
}
