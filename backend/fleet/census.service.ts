import { setTimeout as delay } from 'node:timers/promises';
import { inject, injectable } from 'inversify';
import { Logger } from '../kernel/logger.ts';
import { devicesOf } from './census.ts';
import { type Census, type CensusScope, CensusRepository } from './census.ports.ts';

/** Up to so many devices are counted while the answer is waited for, and the figures are of this moment. */
const MAX_COUNTED_INLINE = 5_000;
/** How long the very first answer waits for the first count. */
const FIRST_WAIT_MS = 3_000;
const CHECK_MS = 100;

/**
 * Which devices run what, and what is wanted for them. The host writes devices whenever it likes, so nothing
 * can be kept up with it: a small fleet is counted when asked, a large one in the background by one process,
 * and the last count is the answer until the next one ends.
 */
@injectable()
export class CensusService {
  readonly #counting = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(
    @inject(CensusRepository) private readonly censuses: CensusRepository,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** `null`: the fleet is large, and being counted for the first time. */
  async get(scope: CensusScope): Promise<Census | null> {
    const kept = await this.censuses.findLatest(scope);
    if (kept && devicesOf(kept.groups) > MAX_COUNTED_INLINE) {
      this.#countInBackground(scope);
      return kept;
    }
    const census = await this.censuses.countUpTo(scope, MAX_COUNTED_INLINE);
    if (census) return census;
    this.#countInBackground(scope);
    return this.#awaitFirst(scope);
  }

  /** Gives up what is being counted. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#counting.values());
  }

  /** Whoever counts, this process or another one. */
  async #awaitFirst(scope: CensusScope): Promise<Census | null> {
    const until = performance.now() + FIRST_WAIT_MS;
    while (performance.now() < until && !this.#closing.signal.aborted) {
      const kept = await this.censuses.findLatest(scope);
      if (kept && devicesOf(kept.groups) > MAX_COUNTED_INLINE) return kept;
      await delay(CHECK_MS);
    }
    return null;
  }

  #countInBackground(scope: CensusScope): void {
    const key = scope.deployment?.id ?? scope.organizationId;
    if (this.#counting.has(key) || this.#closing.signal.aborted) return;
    const counting = this.#count(scope)
      .catch((err: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.logger.warn(
          { err, organizationId: scope.organizationId, deploymentId: scope.deployment?.id },
          'devices could not be counted: figures stay as they were',
        );
      })
      .finally(() => this.#counting.delete(key));
    this.#counting.set(key, counting);
  }

  async #count(scope: CensusScope): Promise<void> {
    if (!(await this.censuses.claim(scope))) return;
    const { signal } = this.#closing;
    await this.censuses.save(scope, await this.censuses.countAll(scope, signal));
  }
}
