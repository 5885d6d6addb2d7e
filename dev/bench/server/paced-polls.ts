/** Polls at a fixed rate, like a fleet: a slow response does not delay the next poll. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { DeviceConnections } from '../../fleet/device-connection.ts';
import { quantile } from '../median.ts';
import { LARGE } from './fleet.ts';
import { deviceOf } from './testbed.ts';

/** A million devices that poll every five minutes. */
export const FLEET_POLLS_PER_SECOND = 3_333;
const TICK_MS = 3;
const CONNECTIONS = 256;
/** Time to open connections and compile code; latencies are measured after it. */
const WARM_UP_MS = 3_000;

export interface PacedPolls {
  /**
   * @returns p99 of the latencies in ms, measured from when each poll was due
   * @throws Error if a poll was not answered
   */
  stop(): Promise<{ p99Ms: number; polls: number }>;
}

/** Starts polling, and resolves after a warm-up. */
export async function startPacedPolls(
  url: string,
  perSecond = FLEET_POLLS_PER_SECOND,
): Promise<PacedPolls> {
  const connections = new DeviceConnections([url], CONNECTIONS);
  const latencies: number[] = [];
  const pending = new Set<Promise<void>>();
  let unanswered = 0;
  let sent = 0;
  const startedAt = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
    for (; sent < due; sent += 1) {
      const dueAt = startedAt + (sent / perSecond) * 1_000;
      const poll = connections.poll(deviceOf(LARGE.first + (sent % LARGE.size))).then((outcome) => {
        if (outcome.kind !== 'accepted') unanswered += 1;
        latencies.push(performance.now() - dueAt);
        pending.delete(poll);
      });
      pending.add(poll);
    }
  }, TICK_MS);
  await delay(WARM_UP_MS);
  latencies.length = 0;
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
      await connections.close();
      if (unanswered > 0) throw new Error(`${unanswered} of ${sent} polls were not answered`);
      return { p99Ms: quantile(latencies, 0.99), polls: sent };
    },
  };
}
