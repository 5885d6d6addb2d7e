/** ota-server as operators run it: a process of the built program, with its log. */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { ROOT } from './repository.ts';

const MAIN = path.join(ROOT, 'dist/backend/server/main.js');

export interface LogEntry extends Record<string, unknown> {
  msg: string;
}

export class OtaServerProcess {
  readonly child: ChildProcess;
  /** Lines of standard output. */
  readonly lines: string[] = [];
  stderr = '';
  /** Resolves with the exit status and the signal, when all output was read. */
  readonly exited: Promise<[number | null, NodeJS.Signals | null]>;
  readonly #arrivals = new EventEmitter();

  /** @param settings environment variables; nothing else is inherited but the path */
  constructor(settings: Record<string, string>, args: readonly string[] = []) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env.PATH, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killWithRun = (): void => void this.child.kill('SIGKILL');
    process.once('exit', killWithRun);
    this.exited = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    void this.exited.then(() => {
      process.off('exit', killWithRun);
      this.#arrivals.emit('line');
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.lines.push(line);
      this.#arrivals.emit('line');
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#arrivals.emit('line');
    });
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Everything that it wrote. */
  get output(): string {
    return [...this.lines, this.stderr].join('\n');
  }

  get log(): LogEntry[] {
    return this.lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /**
   * The first entry with this message, past or future.
   *
   * @throws Error if the process exits without it
   */
  logged(message: string): Promise<LogEntry> {
    return this.#until(() => this.log.find(({ msg }) => msg === message), message);
  }

  /** Resolves with the match when standard error matches. */
  wroteError(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.stderr), pattern.source);
  }

  /** Resolves with its address on this machine. */
  async running(): Promise<string> {
    return String((await this.logged('ota-server is running'))['url']);
  }

  /** Requests a stop, and resolves with the exit status. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return (await this.exited)[0];
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async #until<T>(find: () => T | null | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.hasExited) throw new Error(`it exited without "${what}":\n${this.output}`);
      await once(this.#arrivals, 'line');
    }
  }
}
