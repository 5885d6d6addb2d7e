/**
 * Reports and logs to be delivered to the server. Each is on disk before it is sent, is sent in order, and is
 * removed when the server has acknowledged it or refused it for good.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import type { LogUpload, StatusReport } from '../../../backend/contract/device-api.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import {
  isTemporary,
  readIfPresent,
  removeDurable,
  writeDurable,
} from '../../files/durable-file.ts';
import { withRoom } from '../../files/room.ts';
import { messageOf } from '../../kernel/errors.ts';
import { logFault } from '../../logging/logger.ts';
import type { HttpAnswer } from '../network/http-client.ts';
import { describeAnswer, receptionOf } from '../network/answers.ts';
import type { ServerApi } from '../network/server-api.ts';
import { backoff } from '../../kernel/retry.ts';
import { pause } from '../../kernel/waiting.ts';

export type OutboxMessage =
  | { kind: 'status'; deployment_id: string; body: StatusReport }
  | { kind: 'log'; deployment_id: string; body: LogUpload };

/** What came of a message: the server has recorded it, or will never accept it. */
export type Delivery = { recorded: boolean; answer: HttpAnswer };

/** The caller may wait for the delivery or not; it happens anyway. */
export interface Receipt {
  delivery: Promise<Delivery>;
}

interface Entry {
  path: string;
  message: OutboxMessage;
  settle: (delivery: Delivery) => void;
  delivery: Promise<Delivery>;
}

export class Outbox {
  readonly #dir: string;
  readonly #entries: Entry[] = [];
  readonly #listeners = new Set<() => void>();
  #next = 1;
  #hurry: (() => void) | null = null;
  #answers = 0;
  #toldToWait = false;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async open(stateDir: string, logger: Logger): Promise<Outbox> {
    const outbox = new Outbox(join(stateDir, 'outbox'));
    await mkdir(outbox.#dir, { recursive: true, mode: 0o700 }).catch((error: unknown) =>
      logger.warn(`the outbox has no folder yet: ${messageOf(error)}`),
    );
    const names = await readdir(outbox.#dir).catch(() => [] as string[]);
    // What cannot be removed or read must not stop the agent.
    const left = (error: unknown): void => logger.warn(`left in the outbox: ${messageOf(error)}`);
    for (const name of names.sort()) {
      const path = join(outbox.#dir, name);
      if (isTemporary(name)) {
        await rm(path, { force: true }).catch(left);
        continue;
      }
      const message = parseMessage(await readIfPresent(path).catch(() => null));
      if (message) {
        outbox.#entries.push(entryOf(path, message));
        outbox.#next = Math.max(outbox.#next, Number.parseInt(name, 10) + 1 || 1);
      } else {
        logger.error({ path }, 'a report in the outbox cannot be read and is dropped');
        await removeDurable(path).catch(left);
      }
    }
    return outbox;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** How often a message was answered, by the server or anything in front of it. */
  get answers(): number {
    return this.#answers;
  }

  /** Whether the last answer had `Retry-After`, and that time has not passed. */
  get toldToWait(): boolean {
    return this.#toldToWait;
  }

  hasMessagesFor(deploymentId: string): boolean {
    return this.#entries.some((entry) => entry.message.deployment_id === deploymentId);
  }

  /**
   * Durable when it resolves. A message equal to the last one that is still waiting is not added again: an
   * update that waits for the server must not fill the disk.
   */
  async add(message: OutboxMessage): Promise<Receipt> {
    const last = this.#entries.at(-1);
    if (last && JSON.stringify(last.message) === JSON.stringify(message)) {
      return { delivery: last.delivery };
    }
    const name = `${String(this.#next++).padStart(12, '0')}.json`;
    const entry = entryOf(join(this.#dir, name), message);
    await withRoom(dirname(this.#dir), () => writeDurable(entry.path, JSON.stringify(message)));
    this.#entries.push(entry);
    this.#changed();
    return { delivery: entry.delivery };
  }

  /** Ends a wait between two tries early: the server has just answered. */
  hurry(): void {
    this.#hurry?.();
  }

  /** Resolves when nothing is left to send, or after `limit` ms, whichever comes first. */
  async drained(limit: number): Promise<boolean> {
    if (this.size === 0) return true;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        resolve(this.size === 0);
      };
      const check = (): void => {
        if (this.size === 0) done();
      };
      const timer = setTimeout(done, limit);
      this.#listeners.add(check);
    });
  }

  /** Sends all messages until the signal; never rejects. */
  async deliver(
    api: ServerApi,
    limits: AgentConfig['reports'],
    logger: Logger,
    signal: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const entry = this.#entries[0];
      try {
        if (!entry) {
          await this.#untilChanged(signal);
          continue;
        }
        const outcome = await send(api, entry.message, signal);
        if ('delivery' in outcome || outcome.answered) this.#answers++;
        if ('delivery' in outcome) {
          failures = 0;
          await this.#settle(entry, outcome.delivery, logger);
          continue;
        }
        failures++;
        logger.warn(
          { kind: entry.message.kind, deployment: entry.message.deployment_id, waiting: this.size },
          `a report could not be delivered (${outcome.why}); it is kept and sent again`,
        );
        const wait = backoff(
          failures,
          limits.retry_min_seconds * 1000,
          limits.retry_max_seconds * 1000,
          Math.random(),
        );
        if (outcome.retryAfter !== null) {
          this.#toldToWait = true;
          await pause(outcome.retryAfter, signal).finally(() => (this.#toldToWait = false));
        } else await this.#pauseUnlessHurried(wait, signal);
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        logFault(logger, error, 'the outbox failed; trying again');
        await pause(backoff(failures, 1000, 60_000, Math.random()), signal).catch(() => undefined);
      }
    }
  }

  async #settle(entry: Entry, delivery: Delivery, logger: Logger): Promise<void> {
    const { kind, deployment_id: deployment, body } = entry.message;
    const status = 'status' in body ? body.status : undefined;
    if (delivery.recorded) logger.debug({ kind, deployment, status }, 'delivered');
    else {
      const why = describeAnswer(delivery.answer);
      logger.warn({ kind, deployment, status }, `the server refused a report: ${why}`);
    }
    await removeDurable(entry.path).catch((error: unknown) =>
      // The next start sends it again; the server ignores the duplicate.
      logger.warn(`a delivered report stays on the disk: ${messageOf(error)}`),
    );
    this.#entries.shift();
    entry.settle(delivery);
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #untilChanged(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #pauseUnlessHurried(ms: number, signal: AbortSignal): Promise<void> {
    const hurried = new AbortController();
    this.#hurry = () => hurried.abort();
    await pause(ms, AbortSignal.any([signal, hurried.signal])).catch(() => undefined);
    this.#hurry = null;
  }
}

type Outcome =
  { delivery: Delivery } | { why: string; retryAfter: number | null; answered: boolean };

async function send(api: ServerApi, message: OutboxMessage, signal: AbortSignal): Promise<Outcome> {
  try {
    const answer =
      message.kind === 'status'
        ? await api.report(message.deployment_id, message.body, signal)
        : await api.uploadLog(message.deployment_id, message.body, signal);
    const reception = receptionOf(message.kind, answer);
    return reception === 'unknown'
      ? { why: describeAnswer(answer), retryAfter: answer.retryAfter, answered: true }
      : { delivery: { recorded: reception === 'recorded', answer } };
  } catch (error) {
    return { why: messageOf(error), retryAfter: null, answered: false };
  }
}

function entryOf(path: string, message: OutboxMessage): Entry {
  let settle!: (delivery: Delivery) => void;
  const delivery = new Promise<Delivery>((resolve) => (settle = resolve));
  return { path, message, settle, delivery };
}

function parseMessage(text: string | null): OutboxMessage | null {
  try {
    const message = JSON.parse(text ?? '') as OutboxMessage;
    const known = message.kind === 'status' || message.kind === 'log';
    return known && typeof message.deployment_id === 'string' ? message : null;
  } catch {
    return null;
  }
}
