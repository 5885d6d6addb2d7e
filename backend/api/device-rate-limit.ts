import { DomainError } from '../kernel/errors.ts';

const WINDOW_MS = 60_000;
/** Devices that were refused come back at different moments of the next minute. */
const SPREAD_SECONDS = 10;

/**
 * So many requests a minute for each device and server process. A device is who its token says it
 * is; neither addresses nor forwarded headers count. Minutes are the same for all devices, so that a
 * fleet of a million costs one map that is dropped as a whole.
 */
export class DeviceRateLimit {
  #counts = new Map<string, number>();
  #windowEnd = 0;

  constructor(private readonly requestsPerMinute: number) {}

  /** Counts one request. Throws `too_many_requests` saying when to come again. */
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
      `The device made more than ${this.requestsPerMinute} requests within a minute. Nothing was ` +
        'changed; send this one again after the time that Retry-After says.',
      {},
      { retryAfterSeconds: Math.max(1, Math.ceil(seconds)) },
    );
  }
}
