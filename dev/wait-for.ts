import { setTimeout as delay } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

export interface WaitOptions {
  /** Milliseconds; default 5,000. */
  timeout?: number;
  /** Milliseconds between two looks; default 20. */
  every?: number;
  /** What is waited for, and how things stand; told when it does not happen. */
  describe: string | (() => string | Promise<string>);
}

/**
 * Waits until `condition` gives something truthy, and returns that. For what has no signal to wait
 * for; a condition that throws has not happened yet.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<T>> {
  const { timeout = 5_000, every = LOOK_AGAIN_MS } = options;
  const deadline = Date.now() + timeout;
  for (;;) {
    const { value, problem } = await attempt(condition);
    if (value) return value;
    if (Date.now() >= deadline) throw new Error(await failure(options, timeout, problem));
    await delay(every);
  }
}

async function attempt<T>(
  condition: () => T | Promise<T>,
): Promise<{ value?: T; problem?: unknown }> {
  try {
    return { value: await condition() };
  } catch (problem) {
    return { problem };
  }
}

async function failure(options: WaitOptions, timeout: number, problem: unknown): Promise<string> {
  const { describe } = options;
  const what = typeof describe === 'string' ? describe : await describe();
  const last = problem instanceof Error ? ` (last error: ${problem.message})` : '';
  return `did not happen within ${timeout} ms: ${what}${last}`;
}
