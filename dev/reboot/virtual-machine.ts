/** A PC in QEMU, without hardware acceleration: its console, its restarts, and its power switch. */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { QEMU } from '../programs.ts';
import { pathOf } from './commands.ts';
import { type LineSocket, connectLines } from './line-socket.ts';
import type { Medium } from './medium.ts';

/** Whoever waits for the machine gives up after this. It is far above what a loaded computer needs. */
const LIMIT_MS = 300_000;

/** What the reporter on the device answers. */
export interface DeviceReport {
  /** Version of the running system. */
  system: string;
  /** Release of the running kernel. */
  kernel: string;
  /** What GRUB has started. */
  slot: string;
  /** SHA-256 of the slot that runs. */
  image: string;
  /** Version that the agent has recorded. */
  recorded: string;
  /** The settings file outside of the slots, which an update changes, too. */
  settings: string;
}

interface MachineEvents {
  /** A line on the console. */
  line: [string];
  /** A line of the reporter. */
  report: [string];
  /** The machine begins to start again, by itself. */
  restart: [];
  /** It cannot. */
  failure: [];
}

export class VirtualMachine extends EventEmitter<MachineEvents> {
  #process: ChildProcess | null = null;
  #reporter: LineSocket | null = null;
  #isReady = false;
  /** The power goes off because somebody wants it to. */
  #isEnding = false;
  #restarting: Promise<void> = Promise.resolve();
  #failure: unknown;

  /**
   * @param folder for sockets, and for `console.log`, what the console has printed
   */
  constructor(
    private readonly medium: Medium,
    private readonly folder: string,
  ) {
    super();
    this.setMaxListeners(0);
  }

  /** Resolves when the machine begins to start. */
  async switchOn(): Promise<void> {
    const drive = await this.medium.switchOn();
    const child = spawn(pathOf(QEMU), this.#arguments(drive), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    this.#isEnding = false;
    const killOnExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killOnExit);
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.once('exit', (code) => {
      process.off('exit', killOnExit);
      this.#process = null;
      this.#isReady = false;
      if (!this.#isEnding) this.#restarting = this.#restart(code, complaint);
    });
    const log = createWriteStream(path.join(this.folder, 'console.log'), { flags: 'a' });
    child.stdout.pipe(log);
    createInterface({ input: child.stdout }).on('line', (line) => this.emit('line', line));
    this.#reporter = await connectLines(this.#reporterSocket).catch((cause: unknown) => {
      throw new Error(`QEMU does not run: ${complaint}`, { cause });
    });
    this.#reporter.on('line', (line) => {
      if (line.endsWith('READY')) this.#isReady = true;
      this.emit('report', line);
    });
  }

  /** Kills QEMU in the middle of whatever it does. */
  async cutPower(): Promise<void> {
    await this.#end((child) => child.kill('SIGKILL'));
  }

  /** Shuts the system down. */
  async shutDown(): Promise<void> {
    await this.untilReady();
    await this.#end(() => this.#reporter?.send('poweroff'));
  }

  /** Resolves when the system has started. */
  async untilReady(): Promise<void> {
    if (this.#isReady) return;
    await this.#nextReport('the device is up', (line) => line.endsWith('READY'));
  }

  /** What the device says about itself, once its system has started. */
  async report(): Promise<DeviceReport> {
    await this.untilReady();
    const answer = this.#nextReport('the device reports', (line) => line.startsWith('{'));
    this.#reporter?.send('report');
    return JSON.parse(await answer) as DeviceReport;
  }

  /** The first line of the reporter from now on that matches. */
  async #nextReport(what: string, matches: (line: string) => boolean): Promise<string> {
    const stop = new AbortController();
    try {
      return await new Promise<string>((resolve, reject) => {
        const onReport = (line: string): void => {
          if (matches(line)) resolve(line);
        };
        const onFailure = (): void =>
          reject(new Error(`The machine failed before ${what}.`, { cause: this.#failure }));
        const limit = setTimeout(
          () => reject(new Error(`Did not happen within ${LIMIT_MS / 1_000} s: ${what}.`)),
          LIMIT_MS,
        );
        this.on('report', onReport).on('failure', onFailure);
        stop.signal.addEventListener('abort', () => {
          clearTimeout(limit);
          this.off('report', onReport).off('failure', onFailure);
        });
      });
    } finally {
      stop.abort();
    }
  }

  /**
   * The guest has rebooted, which ends QEMU: in a new one, the boot loader reads the kernel many times faster
   * than in one that has already translated a whole system. The disk keeps what is in its cache.
   */
  async #restart(code: number | null, complaint: string): Promise<void> {
    this.emit('restart');
    try {
      if (code !== 0) throw new Error(`QEMU ended with ${code}: ${complaint}`);
      await this.medium.switchOff();
      await this.switchOn();
    } catch (error) {
      this.#failure = error;
      this.emit('failure');
    }
  }

  async #end(how: (child: ChildProcess) => void): Promise<void> {
    await this.#restarting;
    const child = this.#process;
    if (!child) return;
    this.#isEnding = true;
    const exited = once(child, 'exit');
    how(child);
    await exited;
    await this.medium.switchOff();
  }

  get #reporterSocket(): string {
    return path.join(this.folder, 'reporter.socket');
  }

  #arguments(drive: string): string[] {
    return [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'qemu64', '-smp', '2', '-m', '512'],
      ...['-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-drive', `${drive},if=none,id=disk`, '-device', 'virtio-blk-pci,drive=disk'],
      ...['-netdev', 'user,id=network,ipv6=off'],
      ...['-device', 'virtio-net-pci,netdev=network,romfile='],
      ...['-serial', 'stdio', '-serial', `unix:${this.#reporterSocket},server=on,wait=off`],
      '-no-reboot',
    ];
  }
}
