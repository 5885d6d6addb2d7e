import { DomainError } from '../kernel/errors.ts';

/** A rejected report is retried soon, because its device is in the middle of an update. */
const REPORT_RETRY_SECONDS = { from: 5, to: 30 };
const EARLIEST_POLL_RETRY_SECONDS = 10;

/**
 * Limits how many device requests one server process handles at the same time. Requests above the limit are rejected
 * before they cost a query, so that admitted ones are answered in bounded time. Polls and reports have separate
 * limits of the same size, because a report must not wait for polls. The retries of rejected polls are spread over a
 * whole poll interval: after an outage, a fleet that polls all at once is evenly spread one interval later.
 */
export class LoadLimit {
  /** The maximum for polls, and also for reports. */
  readonly #max: number;
  readonly #pollIntervalSeconds: number;
  readonly #active = { poll: 0, report: 0 };

  constructor(options: { maxPolls: number; pollIntervalSeconds: number }) {
    this.#max = options.maxPolls;
    this.#pollIntervalSeconds = options.pollIntervalSeconds;
  }

  /** Admits a request until {@link release}. Throws `overloaded` with `Retry-After`. */
  acquire(kind: 'poll' | 'report'): void {
    if (this.#active[kind] >= this.#max) throw overloaded(this.#retrySeconds(kind));
    this.#active[kind] += 1;
  }

  release(kind: 'poll' | 'report'): void {
    this.#active[kind] -= 1;
  }

  #retrySeconds(kind: 'poll' | 'report'): number {
    const { from, to } =
      kind === 'report'
        ? REPORT_RETRY_SECONDS
        : {
            from: Math.min(EARLIEST_POLL_RETRY_SECONDS, this.#pollIntervalSeconds),
            to: this.#pollIntervalSeconds,
          };
    return Math.ceil(from + Math.random() * (to - from));
  }
}

function overloaded(retryAfterSeconds: number): DomainError {
  return new DomainError(
    'overloaded',
    'The server is handling its maximum number of device requests. Nothing was changed; retry after Retry-After.',
    {},
    { retryAfterSeconds },
  );
}
