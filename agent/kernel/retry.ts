/** When to try again. Pure; all times in milliseconds. */

/** A longer `Retry-After` is cut to this. */
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;
const MIN_RETRY_AFTER_MS = 1000;

/**
 * Reads `Retry-After` (RFC 9110: seconds or an HTTP date), clamped to 1 s … 1 h.
 * @returns `null` when the header is absent or invalid.
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | null {
  const text = value?.trim();
  if (!text) return null;
  const wanted = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  if (Number.isNaN(wanted)) return null;
  return Math.min(Math.max(wanted, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS);
}

/**
 * Exponential with jitter over its upper half, so that a fleet does not retry in step.
 * @param failures failures in a row, from 1
 */
export function backoff(failures: number, min: number, max: number, random: number): number {
  const ceiling = Math.min(max, min * 2 ** Math.min(failures - 1, 30));
  return ceiling / 2 + (random * ceiling) / 2;
}
