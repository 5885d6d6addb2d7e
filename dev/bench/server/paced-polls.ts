/** Polls at a given rate, whether or not the earlier ones are answered: what a fleet does. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { DeviceConnections } from '../../fleet/device-connection.ts';
import { quantile } from '../median.ts';
import { LARGE } from './fleet.ts';
import { deviceOf } from './stand.ts';

/** A million devices, each every five minutes. */
export const FLEET_POLLS_PER_SECOND = 3_333;
const TICK_MS = 3;
const CONNECTIONS = 256;
/** Until connections are open and code is compiled: the fleet has been polling all along. */
const WARM_UP_MS = 3_000;

export interface PacedPolls {
  /** @returns latencies of the polls since, from when each was due, as p99 in ms */
  stop(): Promise<{ p99Ms: number; polls: number }>;
}

/**
 * Resolves once the polls are in their stride.
 *
 * @throws on `stop` when a poll was not answered
 */
export async function startPacedPolls(
  url: string,
  perSecond = FLEET_POLLS_PER_SECOND,
): Promise<PacedPolls> {
  const connections = new DeviceConnections([url], CONNECTIONS);
  const latencies: number[] = [];
  const underWay = new Set<Promise<void>>();
  let unanswered = 0;
  let sent = 0;
  const begin = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begin) / 1_000) * perSecond);
    for (; sent < due; sent += 1) {
      const dueAt = begin + (sent / perSecond) * 1_000;
      const poll = connections.poll(deviceOf(LARGE.first + (sent % LARGE.size))).then((answer) => {
        if (answer.kind !== 'answer') unanswered += 1;
        latencies.push(performance.now() - dueAt);
        underWay.delete(poll);
      });
      underWay.add(poll);
    }
  }, TICK_MS);
  await delay(WARM_UP_MS);
  latencies.length = 0;
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      await connections.close();
      if (unanswered > 0) throw new Error(`${unanswered} of ${sent} polls were not answered`);
      return { p99Ms: quantile(latencies, 0.99), polls: sent };
    },
  };
}
