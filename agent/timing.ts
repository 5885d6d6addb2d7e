/** When to try again. Pure; all times in milliseconds unless the name says otherwise. */

/** A `Retry-After` beyond this is not believed. */
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;
const MIN_RETRY_AFTER_MS = 1000;

/**
 * Reads `Retry-After` (RFC 9110: seconds or an HTTP date), clamped to 1 s … 1 h.
 * @returns `null` when the header is absent or makes no sense.
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | null {
  const text = value?.trim();
  if (!text) return null;
  const wanted = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  if (Number.isNaN(wanted)) return null;
  return Math.min(Math.max(wanted, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS);
}

/**
 * Exponential with jitter over its upper half, so that a fleet does not come back in step.
 * @param failures failures in a row, from 1
 */
export function backoff(failures: number, min: number, max: number, random: number): number {
  const ceiling = Math.min(max, min * 2 ** Math.min(failures - 1, 30));
  return ceiling / 2 + (random * ceiling) / 2;
}

export interface PollRules {
  interval_seconds: number;
  min_seconds: number;
  max_seconds: number;
  jitter_percent: number;
}

/**
 * The wait before the next poll. The server's wish goes before the configured interval; jitter only
 * ever adds, and the limits are applied last.
 * @param wish `poll_after_seconds` of the last answer
 * @param random 0 … 1
 */
export function pollDelay(rules: PollRules, wish: number | undefined, random: number): number {
  const seconds = wish ?? rules.interval_seconds;
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

/** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Runs `work` with a signal that is aborted after `ms`, or with `outer`. AbortSignal.any over
 * AbortSignal.timeout would say the same, but Node may collect the timeout before its time, and the
 * limit would never come (nodejs/node issue 57736).
 */
export async function withTimeLimit<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`not done within ${ms} ms`)), ms);
  const onAbort = (): void => limit.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  outer?.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onAbort);
  }
}
