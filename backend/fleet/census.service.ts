import { setTimeout as delay } from 'node:timers/promises';
import { inject, injectable } from 'inversify';
import { Logger } from '../kernel/logger.ts';
import { devicesOf } from './census.ts';
import { type Census, type CensusScope, CensusRepository } from './census.ports.ts';

/** Up to this number of devices are counted within the request. */
const MAX_COUNTED_INLINE = 5_000;
/** How long a request waits for the first background count. */
const FIRST_WAIT_MS = 3_000;
const CHECK_MS = 100;

/**
 * Counts devices by type, version and wanted version. The host may change devices at any time, so running totals are not
 * possible. A small fleet is counted in each request. A large one is counted in the background by one process, and
 * requests get the latest count.
 */
@injectable()
export class CensusService {
  readonly #counting = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(
    @inject(CensusRepository) private readonly censuses: CensusRepository,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** The census of a scope; `null`: the fleet is large, and its first count has not finished. */
  async get(scope: CensusScope): Promise<Census | null> {
    const latest = await this.censuses.findLatest(scope);
    if (latest && devicesOf(latest.groups) > MAX_COUNTED_INLINE) {
      this.#countInBackground(scope);
      return latest;
    }
    const census = await this.censuses.countUpTo(scope, MAX_COUNTED_INLINE);
    if (census) return census;
    this.#countInBackground(scope);
    return this.#awaitFirst(scope);
  }

  /** Cancels running counts. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#counting.values());
  }

  /** Waits for the first count, which this or another process makes. */
  async #awaitFirst(scope: CensusScope): Promise<Census | null> {
    const until = performance.now() + FIRST_WAIT_MS;
    while (performance.now() < until && !this.#closing.signal.aborted) {
      const latest = await this.censuses.findLatest(scope);
      if (latest && devicesOf(latest.groups) > MAX_COUNTED_INLINE) return latest;
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
          { err, organization_id: scope.organizationId, deployment_id: scope.deployment?.id },
          'device census failed; keeping the previous figures',
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
