/**
 * Several processes behind one port. This process accepts the connections, passes each to the next process
 * in turn, and replaces processes that exit. Everything else happens in them.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Logger } from 'pino';

import type { StartedHost } from './start-message.ts';

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;
const SHORT_LIFE_MS = 60_000;

/**
 * Milliseconds until a process is replaced. A process that cannot run must not use up the machine.
 * @param shortLives how many processes in a row ran for less than a minute
 */
export function replacementDelay(shortLives: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** shortLives, MAX_DELAY_MS);
}

export class HostProcesses {
  readonly #stopping = new AbortController();
  /** One for each process and its replacements. Resolves after a stop, with the last exit status. */
  #running: Promise<number>[] = [];

  /** @param environment variables of the processes, in addition to those of this process */
  constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly logger: Logger,
  ) {}

  /**
   * Resolves when all of them serve requests.
   * @throws Error if one of them exits before
   */
  async start(count: number): Promise<StartedHost> {
    const processes = Array.from({ length: count }, () => cluster.fork(this.environment));
    this.#running = processes.map((one) => this.#keepRunning(one));
    const [first, ...others] = await Promise.all(processes.map(started));
    if (!first) throw new Error('There must be at least one process.');
    return { ...first, pluginActive: [first, ...others].every((one) => one.pluginActive) };
  }

  /** Resolves when no process is left, with whether each of them stopped in time. Idempotent. */
  async stop(): Promise<boolean> {
    this.#stopping.abort();
    signalProcesses('SIGTERM');
    const statuses = await Promise.all(this.#running);
    return statuses.every((status) => status === 0);
  }

  async #keepRunning(first: Worker): Promise<number> {
    const { signal: stopping } = this.#stopping;
    for (let current = first, shortLives = 0; ; current = cluster.fork(this.environment)) {
      const startedAt = performance.now();
      const [status, signal] = (await once(current, 'exit')) as [number | null, string | null];
      // After a stop, only a process that was not serving yet is ended by the signal.
      if (stopping.aborted) return status ?? 0;
      shortLives = performance.now() - startedAt < SHORT_LIFE_MS ? shortLives + 1 : 0;
      const delayMs = replacementDelay(shortLives);
      const { pid } = current.process;
      this.logger.error(
        { exited: pid, status, signal, delayMs },
        'Replacing a process that exited',
      );
      await sleep(delayMs, null, { signal: stopping }).catch(() => undefined);
      if (stopping.aborted) return 0;
    }
  }
}

/** In one of the processes: reports to the supervising process that this one serves requests. */
export function reportStart(host: StartedHost): void {
  process.send?.(host);
}

export function signalProcesses(signal: NodeJS.Signals): void {
  for (const one of Object.values(cluster.workers ?? {})) one?.process.kill(signal);
}

async function started(one: Worker): Promise<StartedHost> {
  const [report] = (await Promise.race([
    once(one, 'message'),
    once(one, 'exit').then(() => []),
  ])) as [StartedHost?];
  if (!report) throw new Error('A process exited before it served requests; see the log above.');
  return report;
}
