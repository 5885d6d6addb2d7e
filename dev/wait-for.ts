import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 20;

export interface WaitOptions {
  /** Milliseconds; default 5,000. */
  timeout?: number;
  /** Milliseconds between two checks; default 20. */
  every?: number;
  /** The condition and the current state, for the error message. */
  describe: string | (() => string | Promise<string>);
}

/**
 * Polls `condition` until it returns a truthy value, and returns that value. Use it only if there is no event
 * to wait for. A condition that throws counts as not met.
 *
 * @throws Error with the description and the last error of the condition, after the timeout
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<T>> {
  const { timeout = 5_000, every = POLL_INTERVAL_MS } = options;
  const deadline = Date.now() + timeout;
  for (;;) {
    const { value, error } = await attempt(condition);
    if (value) return value;
    if (Date.now() >= deadline) throw new Error(await failure(options, timeout, error));
    await delay(every);
  }
}

async function attempt<T>(
  condition: () => T | Promise<T>,
): Promise<{ value?: T; error?: unknown }> {
  try {
    return { value: await condition() };
  } catch (error) {
    return { error };
  }
}

async function failure(options: WaitOptions, timeout: number, error: unknown): Promise<string> {
  const { describe } = options;
  const what = typeof describe === 'string' ? describe : await describe();
  const last = error instanceof Error ? ` (last error: ${error.message})` : '';
  return `did not happen within ${timeout} ms: ${what}${last}`;
}
