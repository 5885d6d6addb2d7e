import { DomainError } from '../kernel/errors.ts';

/** Reports carry what cannot be had again: they have as much room again, and take none from polls. */
/** A refused report comes again within this; its device is in the middle of an update. */
const REPORT_RETRY_SECONDS = { from: 5, to: 30 };
const EARLIEST_POLL_RETRY_SECONDS = 10;

/**
 * How much one server process takes on at the same time. What is beyond is refused at once, before it
 * costs a query, so that what was taken on is answered in bounded time. Refused polls are spread over
 * a whole poll interval: a fleet that comes at once after an outage is back in its usual rhythm one
 * interval later.
 */
export class LoadLimit {
  /** Of polls, and of reports. */
  readonly #max: number;
  readonly #pollIntervalSeconds: number;
  readonly #active = { poll: 0, report: 0 };

  constructor(options: { maxPolls: number; pollIntervalSeconds: number }) {
    this.#max = options.maxPolls;
    this.#pollIntervalSeconds = options.pollIntervalSeconds;
  }

  /** Takes a request on until {@link release}. Throws `overloaded` saying when to come again. */
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
    'More devices ask at once than this server answers in good time. Nothing was changed; send this ' +
      'again after the time that Retry-After says.',
    {},
    { retryAfterSeconds },
  );
}
