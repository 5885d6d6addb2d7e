/** The stand-in host in a process of its own, to be measured, killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import type { HostRole } from '../../backend/host-contract.ts';
import { freePort } from '../database/free-port.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const READY = /^Ops-Center (worker )?is running/;
/** Lines of the log that a failure is told with. */
const KEPT_LINES = 30;

export interface HostProcessSettings {
  role: HostRole;
  databaseUrl: string;
  /** Empty: the queue is in PostgreSQL. */
  redisUrl: string;
  pluginConfig: object;
  /** Of an admin who may steer deployments; default: one is made that nobody learns. */
  adminToken?: string;
  /** Default true: plugins may answer ahead of Express. */
  listenAhead?: boolean;
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
      OPS_OTA_CONFIG: JSON.stringify(settings.pluginConfig),
      OPS_LOG_LEVEL: 'warn',
      OPS_LISTEN_AHEAD: String(settings.listenAhead ?? true),
      ...(settings.adminToken && { OPS_ADMIN_TOKEN: settings.adminToken }),
    };
  }

  static async start(settings: HostProcessSettings): Promise<HostProcess> {
    const server = new HostProcess(settings, await freePort());
    await server.start();
    return server;
  }

  /** Resolves when it serves; a database that comes back at the same time may cost a few tries. */
  async start(): Promise<void> {
    const TRIES = 5;
    for (let tries = 1; ; tries += 1) {
      const failure = await this.#tryToStart();
      if (failure === null) return;
      if (tries === TRIES) throw new Error(`${this.role} did not start:\n${failure}`);
    }
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.role} is not running`);
    return pid;
  }

  /** Resolves when it has ended, with its exit code; `null`: a signal ended it. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** Stands still, like a process on a machine that is out of breath, until {@link wake}. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  wake(): void {
    this.#child?.kill('SIGCONT');
  }

  /** `null`: it serves; else the end of what it said. */
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
