import { EventEmitter } from 'node:events';
import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { Client, Notification } from 'pg';
import { Logger } from '../kernel/logger.ts';
import { destroySocket, withStatementTimeout } from '../database/statement-timeout.ts';
import { runPrepared } from '../database/prepared.ts';
import { SHORT_QUERY_MS } from '../kernel/time-limits.ts';
import { mergeChanges } from './change-log.ts';
import {
  MANY_DEVICES,
  type ChangeFeed,
  type DeploymentChanged,
  type FeedMessage,
} from '../deployments/model/change-feed.ports.ts';
import { Database } from '../database/database.ts';

const CHANNEL = 'ota_changes';
/** Changes within this time are sent as one notification. */
const BATCH_MS = 40;
/** PostgreSQL limits payloads to 8,000 bytes. With more device ids, only `others` is sent. */
const MAX_IDS_IN_PAYLOAD = 120;
const MAX_DEPLOYMENTS_IN_PAYLOAD = 20;
const RECONNECT_MS = 1_000;
/** Interval of the notifications by which a process checks its own connection, and their timeout. */
const PROBE_INTERVAL_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;
/** The payload of these notifications: no changes. Other processes ignore it. */
const PROBE = '[]';
/** One lost probe is tolerated. */
const MAX_SILENCE_MS = 2 * (PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS);
const RESEND_MS = 1_000;

/**
 * Change feed over LISTEN/NOTIFY. Notifications are sent after the commit and in batches, because each one takes a lock
 * on the whole database. The first subscriber opens the listening connection, outside of the host's pool.
 */
@injectable()
export class PostgresChangeFeed implements ChangeFeed {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  #pending: DeploymentChanged[] = [];
  #sendTimer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #listening: Promise<Client | null> | undefined;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #probeTimer: NodeJS.Timeout | undefined;
  #receivedAt = -Infinity;
  #closed = false;

  constructor(
    @inject(Database) private readonly knex: Knex,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  publish(changes: DeploymentChanged[]): void {
    if (this.#closed) return;
    this.#pending.push(...changes);
    if (this.#pending.length > 0) this.#sendTimer ??= setTimeout(() => this.#send(), BATCH_MS);
  }

  async subscribe(listener: (message: FeedMessage) => void): Promise<() => void> {
    this.#emitter.on('message', listener);
    await (this.#listening ??= this.#listen());
    return () => this.#emitter.off('message', listener);
  }

  get isReceiving(): boolean {
    return performance.now() - this.#receivedAt < MAX_SILENCE_MS;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#probeTimer);
    clearTimeout(this.#sendTimer);
    clearTimeout(this.#reconnectTimer);
    this.#send();
    await this.#sending;
    const client = await this.#listening;
    client?.removeAllListeners('end');
    await client?.end();
    this.#emitter.removeAllListeners();
  }

  #send(): void {
    this.#sendTimer = undefined;
    const changes = mergeChanges(this.#pending);
    this.#pending = [];
    for (let first = 0; first < changes.length; first += MAX_DEPLOYMENTS_IN_PAYLOAD) {
      const part = changes.slice(first, first + MAX_DEPLOYMENTS_IN_PAYLOAD);
      this.#sending = this.#sending.then(() => this.#notify(part));
    }
  }

  async #notify(changes: DeploymentChanged[]): Promise<void> {
    const ids = changes.reduce((sum, { devices }) => sum + devices.named.length, 0);
    const payload = changes.map((change) => ({
      ...change,
      devices: ids > MAX_IDS_IN_PAYLOAD ? MANY_DEVICES : change.devices,
    }));
    try {
      await this.knex.raw('SELECT pg_notify(?, ?)', [CHANNEL, JSON.stringify(payload)]);
    } catch (error) {
      this.logger.warn({ err: error }, 'change notification could not be sent; retrying');
      if (this.#closed) return;
      this.#pending.unshift(...changes);
      this.#sendTimer ??= setTimeout(() => this.#send(), RESEND_MS);
    }
  }

  async #listen(): Promise<Client | null> {
    const dialect = this.knex.client as { acquireRawConnection(): Promise<Client> };
    try {
      const client = await dialect.acquireRawConnection();
      client.on('notification', (notification) => this.#receive(notification));
      client.on('error', (error) =>
        this.logger.warn({ err: error }, 'change feed connection error'),
      );
      client.on('end', () => this.#reconnect());
      await withStatementTimeout(client, SHORT_QUERY_MS, () => client.query(`LISTEN ${CHANNEL}`));
      this.#receivedAt = performance.now();
      this.#scheduleProbe(client);
      return client;
    } catch (error) {
      this.logger.warn({ err: error }, 'change feed could not connect; retrying');
      this.#reconnect();
      return null;
    }
  }

  #reconnect(): void {
    if (this.#closed) return;
    clearTimeout(this.#probeTimer);
    this.#listening = undefined;
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => {
      this.#listening = this.#listen();
      void this.#listening.then((client) => {
        if (client) this.#emitter.emit('message', { kind: 'gap' } satisfies FeedMessage);
      });
    }, RECONNECT_MS);
  }

  #scheduleProbe(client: Client): void {
    if (this.#closed) return;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = setTimeout(() => void this.#probe(client), PROBE_INTERVAL_MS);
  }

  /** Checks that notifications arrive. A broken connection, or one through a pooler, may fail without an error. */
  async #probe(client: Client): Promise<void> {
    const sentAt = performance.now();
    try {
      const values = [CHANNEL, PROBE];
      await runPrepared(
        this.knex,
        'ota_probe_feed',
        'SELECT pg_notify($1, $2)',
        values,
        SHORT_QUERY_MS,
      );
    } catch (error) {
      this.logger.debug({ err: error }, 'change feed check failed');
      this.#scheduleProbe(client);
      return;
    }
    this.#probeTimer = setTimeout(() => {
      if (this.#receivedAt >= sentAt) return this.#scheduleProbe(client);
      this.logger.warn('change feed stopped receiving notifications; reconnecting');
      destroySocket(client);
    }, PROBE_TIMEOUT_MS);
  }

  #receive({ payload }: Notification): void {
    this.#receivedAt = performance.now();
    for (const change of JSON.parse(payload ?? '[]') as DeploymentChanged[]) {
      this.#emitter.emit('message', { kind: 'changed', change } satisfies FeedMessage);
    }
  }
}
