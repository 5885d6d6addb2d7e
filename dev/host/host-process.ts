/** Runs the stand-in host in its own process or processes, so that callers can measure, kill and restart it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import type { HostRole } from '../../backend/host-contract.ts';
import { freePort } from '../../backend/server/postgres/free-port.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const READY = /^Ops-Center (worker )?is running/;
/** Last lines of output to include in an error. */
const KEPT_LINES = 30;
const START_ATTEMPTS = 5;

export interface HostProcessSettings {
  role: HostRole;
  databaseUrl: string;
  /** Empty: the queue is in PostgreSQL. */
  redisUrl: string;
  pluginConfig: object;
  /** Default: the host generates one that the caller cannot see. */
  adminToken?: string;
  /** Whether to offer `http.preRouter` to the plugin; default true. */
  preRouter?: boolean;
  /** Number of processes that share the port; default 1. */
  processes?: number;
  /** Options of Node.js, e.g. `--cpu-prof`. */
  nodeOptions?: readonly string[];
}

export class HostProcess {
  readonly role: HostRole;
  readonly url: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #nodeOptions: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(settings: HostProcessSettings, port: number) {
    this.role = settings.role;
    this.url = `http://127.0.0.1:${port}`;
    this.#nodeOptions = settings.nodeOptions ?? [];
    this.#env = {
      ...process.env,
      PORT: String(port),
      DATABASE_URL: settings.databaseUrl,
      REDIS_URL: settings.redisUrl,
      OPS_ROLE: settings.role,
      OPS_PROCESSES: String(settings.processes ?? 1),
      OPS_OTA_CONFIG: JSON.stringify(settings.pluginConfig),
      OPS_LOG_LEVEL: 'warn',
      OPS_PRE_ROUTER: String(settings.preRouter ?? true),
      ...(settings.adminToken && { OPS_ADMIN_TOKEN: settings.adminToken }),
    };
  }

  static async start(settings: HostProcessSettings): Promise<HostProcess> {
    const server = new HostProcess(settings, await freePort());
    await server.start();
    return server;
  }

  /** Resolves when the host serves requests. Tries again if the database is not available yet. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#tryToStart();
      if (failure === null) return;
      if (attempt === START_ATTEMPTS) throw new Error(`${this.role} did not start:\n${failure}`);
    }
  }

  /** Of the supervising process if there are several. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.role} is not running`);
    return pid;
  }

  /** Resolves with the exit code when the process has exited; `null`: a signal ended it, or it was not running. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** Suspends the process, like a stalled machine, until {@link resume}. */
  suspend(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** `null`: the host serves requests; otherwise the last lines of its output. */
  async #tryToStart(): Promise<string | null> {
    const child = spawn(
      process.execPath,
      [...this.#nodeOptions, '--import', 'tsx', 'dev/host/main.ts'],
      {
        cwd: ROOT,
        env: this.#env,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    const lines: string[] = [];
    const ended = once(child, 'exit').then(() => lines.join('\n'));
    const ready = new Promise<null>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          if (lines.length > KEPT_LINES) lines.shift();
          if (READY.test(line)) resolve(null);
        });
      }
    });
    return Promise.race([ready, ended]);
  }
}
