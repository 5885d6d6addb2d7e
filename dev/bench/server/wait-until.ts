import { setTimeout as delay } from 'node:timers/promises';

const BETWEEN_MS = 5;
const LIMIT_MS = 120_000;

/** Asks until the answer is yes; the bench has no other way to see what the server does by itself. */
export async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not so after ${LIMIT_MS / 1_000} s`);
    await delay(BETWEEN_MS);
  }
}
