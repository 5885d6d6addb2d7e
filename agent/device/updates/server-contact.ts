/** Whether the server itself, and nobody in its place, answers this device. */
import { type AgentParts } from './agent-parts.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import { messageOf } from '../../kernel/errors.ts';
import { describeAnswer } from '../network/answers.ts';
import { readPollAnswer } from '../network/offer.ts';
import { pause } from '../../kernel/waiting.ts';
import { pollDelayAfterFailure } from '../network/poll-delay.ts';

export type Contact =
  /** The server knows the device: it answered a poll as the contract says. */
  | { kind: 'known' }
  /** The server is there, and cannot or will not answer now (5xx, 429, 401). */
  | { kind: 'troubled'; why: string; retryAfter: number | null }
  /** Silence, a refusal, or an answer of something else. */
  | { kind: 'none'; why: string; retryAfter: number | null };

/**
 * Asks once, by a poll; what it offers is left for the poll that follows the work at hand.
 * @throws the reason of `signal`
 */
export async function askServer(
  { api, config }: AgentParts,
  signal: AbortSignal,
): Promise<Contact> {
  try {
    const answer = await api.checkUpdate(await readCurrentVersion(config), signal);
    const { status, retryAfter } = answer;
    if (status === 200 && readPollAnswer(answer.body).kind !== 'unusable') return { kind: 'known' };
    const kind = status >= 500 || status === 429 || status === 401 ? 'troubled' : 'none';
    return { kind, why: describeAnswer(answer), retryAfter };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'none', why: messageOf(error), retryAfter: null };
  }
}

/**
 * Asks until the server knows the device; somebody else watches the time.
 * @throws the reason of `signal`
 */
export async function untilServerKnowsUs(parts: AgentParts, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    const contact = await askServer(parts, signal);
    if (contact.kind === 'known') return;
    parts.logger.warn(`on trial, and the server does not answer: ${contact.why}`);
    const { poll } = parts.config;
    await pause(pollDelayAfterFailure(poll, failures, contact.retryAfter, Math.random()), signal);
  }
}
