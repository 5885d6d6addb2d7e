/** Removes the rows of devices that no longer exist, and requests and windows that ended long ago. */
import type { Knex } from 'knex';
import type { Logger } from 'pino';

const INTERVAL_MS = 60 * 60 * 1_000;
const KEPT_DAYS = 30;
/**
 * A device is only forgotten after it has been missing for this long: a view or foreign table that is empty for
 * a while must not make the fleet enrol again.
 */
const MISSING_DAYS = 2;

const STATEMENTS = [
  `UPDATE ota_server_device_tokens t SET missing_since = now()
    WHERE missing_since IS NULL AND NOT EXISTS (SELECT FROM edge_devices d WHERE d.id = t.device_id)`,
  `UPDATE ota_server_device_tokens t SET missing_since = NULL
    WHERE missing_since IS NOT NULL AND EXISTS (SELECT FROM edge_devices d WHERE d.id = t.device_id)`,
  `DELETE FROM ota_server_device_tokens WHERE missing_since < now() - interval '${MISSING_DAYS} days'`,
  `DELETE FROM ota_server_enrolment_requests r
    WHERE last_seen_at < now() - interval '${KEPT_DAYS} days'
       OR NOT EXISTS (SELECT FROM edge_devices d WHERE d.id = r.device_id)`,
  `DELETE FROM ota_server_enrolment_windows WHERE open_until < now()`,
];

export class EnrolmentCleanup {
  readonly #knex: Knex;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(knex: Knex, logger: Logger) {
    this.#knex = knex;
    this.#logger = logger;
  }

  /** Cleans up now and every hour. Resolves after the first time; failures are logged. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.#run(), INTERVAL_MS).unref();
    this.#run();
    await this.#running;
  }

  /** Waits for a cleanup that is running. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #run(): void {
    this.#running = this.#running.then(() => this.#cleanUp());
  }

  async #cleanUp(): Promise<void> {
    try {
      for (const statement of STATEMENTS) await this.#knex.raw(statement);
    } catch (error) {
      this.#logger.warn({ err: error }, 'Enrolments of removed devices could not be cleaned up');
    }
  }
}
