/** When to poll next. Pure; all times in milliseconds unless named otherwise. */
import { backoff } from '../../kernel/retry.ts';
import type { AgentConfig } from '../config/agent-config.ts';

type PollRules = AgentConfig['poll'];

/**
 * The wait before the next poll. What the server requests takes precedence over the configured interval;
 * jitter only adds, and the limits are applied last.
 * @param requested `poll_after_seconds` of the last answer
 * @param random 0 … 1
 */
export function pollDelay(rules: PollRules, requested: number | undefined, random: number): number {
  const seconds = requested ?? rules.interval_seconds;
  const spread = seconds * (1 + (rules.jitter_percent / 100) * random);
  return Math.min(Math.max(spread, rules.min_seconds), rules.max_seconds) * 1000;
}

/** The wait after a poll without a usable answer: short at first, never beyond the interval. */
export function pollDelayAfterFailure(
  rules: PollRules,
  failures: number,
  retryAfter: number | null,
  random: number,
): number {
  const min = rules.min_seconds * 1000;
  const max = Math.max(min, Math.min(rules.interval_seconds, rules.max_seconds) * 1000);
  return Math.max(retryAfter ?? 0, backoff(failures, min, max, random), min);
}
