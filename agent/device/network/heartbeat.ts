/** Heartbeats to Ops-Center. One that fails is not repeated. */
import { cpus, freemem, loadavg, networkInterfaces, totalmem, uptime } from 'node:os';
import type { Logger } from 'pino';
import { messageOf } from '../../kernel/errors.ts';
import { describeAnswer, isJsonObject } from './answers.ts';
import type { Heartbeat, ServerApi } from './server-api.ts';
import { pause } from '../../kernel/waiting.ts';

/** Runs until the signal; never rejects. */
export async function sendHeartbeats(
  api: ServerApi,
  intervalSeconds: () => number,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  let reachable = true;
  while (!signal.aborted) {
    try {
      const answer = await api.heartbeat(measure(), signal);
      if (answer.status >= 300 || !isJsonObject(answer.body))
        throw new Error(describeAnswer(answer));
      reachable = true;
    } catch (error) {
      if (signal.aborted) return;
      // Once per outage.
      if (reachable) logger.warn(`a heartbeat failed: ${messageOf(error)}`);
      reachable = false;
    }
    await pause(intervalSeconds() * 1000, signal).catch(() => undefined);
  }
}

function measure(): Heartbeat {
  const total = totalmem();
  return {
    status: 'online',
    uptime: Math.round(uptime()),
    services: { 'ota-agent': 'running' },
    metrics: {
      load_1m: loadavg()[0] ?? 0,
      cpu_count: cpus().length,
      memory_total_bytes: total,
      memory_used_percent: Math.round(((total - freemem()) / total) * 1000) / 10,
    },
    ip_address: ownAddress(),
  };
}

function ownAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = all.filter((one) => !one.internal);
  const best = outside.find((one) => one.family === 'IPv4') ?? outside[0];
  return best?.address ?? null;
}
