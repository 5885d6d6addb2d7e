/** Whether the server itself, and nothing in its place, answers this device. */
import type { Logger } from 'pino';
import { messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/waiting.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { describeAnswer } from '../network/answers.ts';
import { readPollAnswer } from '../network/offer.ts';
import { pollDelayAfterFailure } from '../network/poll-delay.ts';
import type { DeviceDescription, ServerApi } from '../network/server-api.ts';

export type Contact =
  /** A poll was answered as the contract says: the server accepts this device. */
  | { kind: 'answered' }
  /** The server is reachable, but cannot or will not answer now (5xx, 429, 401). */
  | { kind: 'unavailable'; why: string; retryAfter: number | null }
  /** No answer, a refusal, or an answer from something else. */
  | { kind: 'none'; why: string; retryAfter: number | null };

export class ServerContact {
  constructor(
    private readonly api: Pick<ServerApi, 'checkUpdate'>,
    private readonly describe: () => Promise<DeviceDescription>,
    private readonly config: Pick<AgentConfig, 'poll'>,
    private readonly logger: Logger,
  ) {}

  /**
   * Polls once and ignores the offer: the next regular poll gets it again.
   * @throws the reason of `signal`
   */
  async check(signal: AbortSignal): Promise<Contact> {
    try {
      const answer = await this.api.checkUpdate(await this.describe(), signal);
      const { status, retryAfter } = answer;
      if (status === 200 && readPollAnswer(answer.body).kind !== 'unusable') {
        return { kind: 'answered' };
      }
      const unavailable = status >= 500 || status === 429 || status === 401;
      const kind = unavailable ? 'unavailable' : 'none';
      return { kind, why: describeAnswer(answer), retryAfter };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'none', why: messageOf(error), retryAfter: null };
    }
  }

  /**
   * Polls until the server answers; the caller limits the time.
   * @throws the reason of `signal`
   */
  async waitUntilAnswered(signal: AbortSignal): Promise<void> {
    for (let failures = 1; ; failures++) {
      const contact = await this.check(signal);
      if (contact.kind === 'answered') return;
      this.logger.warn(`the server does not answer yet: ${contact.why}`);
      const { poll } = this.config;
      await pause(pollDelayAfterFailure(poll, failures, contact.retryAfter, Math.random()), signal);
    }
  }
}
