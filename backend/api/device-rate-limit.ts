import { DomainError } from '../kernel/errors.ts';

const WINDOW_MS = 60_000;
/** Spreads the retries of rejected devices over the start of the next minute. */
const SPREAD_SECONDS = 10;

/**
 * Limits the requests per minute of each device to this process. Devices are identified by their token, never by
 * address or forwarded headers. All devices share the same one-minute windows, so even a million devices need only
 * one map, which is dropped when the window ends.
 */
export class DeviceRateLimit {
  #counts = new Map<string, number>();
  #windowEnd = 0;

  constructor(private readonly requestsPerMinute: number) {}

  /**
   * Counts one request. Throws `too_many_requests` with `Retry-After`.
   *
   * @param now milliseconds on the clock of `performance.now()`
   */
  consume(deviceId: string, now: number = performance.now()): void {
    if (now >= this.#windowEnd) {
      this.#counts = new Map();
      this.#windowEnd = now + WINDOW_MS;
    }
    const count = (this.#counts.get(deviceId) ?? 0) + 1;
    this.#counts.set(deviceId, count);
    if (count > this.requestsPerMinute) throw this.#tooMany(now);
  }

  #tooMany(now: number): DomainError {
    const seconds = (this.#windowEnd - now) / 1_000 + Math.random() * SPREAD_SECONDS;
    return new DomainError(
      'too_many_requests',
      `The device sent more than ${this.requestsPerMinute} requests within a minute. ` +
        'Nothing was changed; retry after Retry-After.',
      {},
      { retryAfterSeconds: Math.max(1, Math.ceil(seconds)) },
    );
  }
}
