/** Polls at the rate of a fleet: a slow response does not delay the next poll. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { Agent, request } from 'undici';

import { quantile } from '../median.ts';
import { LARGE, pollOf } from './fleet.ts';

/** A million devices that poll every five minutes. */
export const FLEET_POLLS_PER_SECOND = 3_333;
const CONNECTIONS = 256;
/** Time to open connections and compile code; latencies are measured after it. */
const WARM_UP_MS = 3_000;
/** Timers have a resolution of 1 ms, in which three polls are due, so shorter waits block. */
const MAX_WAIT_MS = 0.2;
const NEVER = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

type PollOf = (sent: number) => { path: string; headers?: Record<string, string> };

export interface PacedPolls {
  /**
   * @returns p99 of the latencies in ms, measured from when each poll was due
   * @throws Error if a poll was not answered with 200
   */
  stop(): Promise<{ p99Ms: number }>;
}

/**
 * Starts polling, and resolves after a warm-up. Like those of independent devices, the polls are spread at random (a
 * Poisson process).
 *
 * @param poll the request of the n-th poll; default: that of the n-th device
 */
export async function startPacedPolls(
  url: string,
  poll: PollOf = (sent) => pollOf(LARGE.first + (sent % LARGE.size)),
): Promise<PacedPolls> {
  const agent = new Agent({ connections: CONNECTIONS });
  const pending = new Set<Promise<void>>();
  let latencies: number[] = [];
  let unanswered = 0;
  let sent = 0;
  let isRunning = true;

  async function send(dueAt: number): Promise<void> {
    const { path, headers = {} } = poll(sent);
    sent += 1;
    try {
      const { statusCode, body } = await request(url + path, { dispatcher: agent, headers });
      await body.dump();
      if (statusCode !== 200) unanswered += 1;
    } catch {
      unanswered += 1;
    }
    latencies.push(performance.now() - dueAt);
  }

  let nextAt = performance.now();
  function sendDue(): void {
    if (!isRunning) return;
    for (const now = performance.now(); nextAt <= now;) {
      const sending = send(nextAt).then(() => void pending.delete(sending));
      pending.add(sending);
      nextAt += (-Math.log(1 - Math.random()) / FLEET_POLLS_PER_SECOND) * 1_000;
    }
    const waitMs = Math.min(nextAt - performance.now(), MAX_WAIT_MS);
    if (waitMs > 0) Atomics.wait(NEVER, 0, 0, waitMs);
    setImmediate(sendDue);
  }
  sendDue();

  await delay(WARM_UP_MS);
  latencies = [];
  return {
    async stop() {
      isRunning = false;
      await Promise.all(pending);
      await agent.destroy();
      if (unanswered > 0) throw new Error(`${unanswered} of ${sent} polls were not answered`);
      return { p99Ms: quantile(latencies, 0.99) };
    },
  };
}
