import { inject, injectable } from 'inversify';
import type { DeviceIdentity } from '../host-contract.ts';
import { Logger } from '../kernel/logger.ts';
import { Telemetry } from '../observability/telemetry.ports.ts';
import { LastPollRepository } from './last-poll.ports.ts';

const WRITE_INTERVAL_MS = 1_000;
const MAX_DEVICES_PER_STATEMENT = 5_000;
/** Batches that wait while the database is unavailable. When there are more, the oldest is dropped. */
const MAX_BATCHES = 10;
const WARN_INTERVAL_MS = 60_000;

/** Polls of the same time. */
interface Batch {
  /** When the first of them arrived, by the monotonic clock, in milliseconds. */
  startedAt: number;
  /** The organization of each device, by the id of the device. */
  organizations: Map<string, string>;
}

/**
 * Records when devices last polled (docs/decisions/last-poll.md). A poll only adds its device to a batch in memory; one
 * statement a second writes them. If it fails, polls are not affected: the batch is tried again later.
 */
@injectable()
export class LastPolls {
  /** Not written yet, oldest first. Polls are added to the last one. */
  #batches: Batch[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when the batches have been written, or writing has failed; never rejects. */
  #writing: Promise<void> | undefined;
  #warnedAt = -Infinity;
  #isClosed = false;

  constructor(
    @inject(LastPollRepository) private readonly polls: LastPollRepository,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Never throws. */
  record({ deviceId, organizationId }: DeviceIdentity): void {
    if (this.#isClosed) return;
    let batch = this.#batches.at(-1);
    if (!batch || batch.organizations.size === MAX_DEVICES_PER_STATEMENT) {
      batch = { startedAt: performance.now(), organizations: new Map() };
      this.#enqueue([...this.#batches, batch]);
    }
    batch.organizations.set(deviceId, organizationId);
    this.#schedule();
  }

  /** Writes what has been recorded. Polls that arrive later are not recorded any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    clearTimeout(this.#timer);
    await this.#writeAll();
  }

  #schedule(): void {
    if (this.#writing) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writeAll().finally(() => {
        this.#writing = undefined;
        if (this.#batches.length > 0) this.#schedule();
      });
    }, WRITE_INTERVAL_MS);
  }

  async #writeAll(): Promise<void> {
    const batches = this.#batches;
    this.#batches = [];
    for (let batch = batches[0]; batch; batch = batches[0]) {
      try {
        await this.polls.save({
          organizations: batch.organizations,
          ageSeconds: (performance.now() - batch.startedAt) / 1_000,
        });
      } catch (err) {
        this.#enqueue([...batches, ...this.#batches]);
        this.#warn(err);
        return;
      }
      batches.shift();
    }
  }

  #enqueue(batches: Batch[]): void {
    const dropped = batches.slice(0, -MAX_BATCHES);
    this.#batches = batches.slice(-MAX_BATCHES);
    for (const { organizations } of dropped) this.telemetry.lastPollsDropped(organizations.size);
  }

  #warn(err: unknown): void {
    if (performance.now() - this.#warnedAt < WARN_INTERVAL_MS) return;
    this.#warnedAt = performance.now();
    this.logger.warn({ err }, 'times of polls could not be recorded; trying again');
  }
}
