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
  /** The machine begins to start again, by itself. */
  restart: [];
  off: [];
}

export class VirtualMachine extends EventEmitter<MachineEvents> {
  #process: ChildProcess | null = null;
  #reporter: LineSocket | null = null;
  #isReady = false;

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
    const killOnExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killOnExit);
    child.once('exit', () => {
      process.off('exit', killOnExit);
      this.#process = null;
      this.#isReady = false;
      this.emit('off');
    });
    const log = createWriteStream(path.join(this.folder, 'console.log'), { flags: 'a' });
    child.stdout.pipe(log);
    createInterface({ input: child.stdout }).on('line', (line) => this.emit('line', line));
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    try {
      await this.#connect();
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`QEMU did not start: ${complaint}`, { cause: error });
    }
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
    const reporter = this.#reporter;
    const stop = new AbortController();
    try {
      return await new Promise<string>((resolve, reject) => {
        const onLine = (line: string): void => {
          if (matches(line)) resolve(line);
        };
        const onOff = (): void => reject(new Error(`The machine went off before ${what}.`));
        const limit = setTimeout(
          () => reject(new Error(`Did not happen within ${LIMIT_MS / 1_000} s: ${what}.`)),
          LIMIT_MS,
        );
        reporter?.on('line', onLine);
        this.once('off', onOff);
        stop.signal.addEventListener('abort', () => {
          clearTimeout(limit);
          reporter?.off('line', onLine);
          this.off('off', onOff);
        });
      });
    } finally {
      stop.abort();
    }
  }

  async #end(how: (child: ChildProcess) => void): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const exited = once(child, 'exit');
    how(child);
    await exited;
    await this.medium.switchOff();
  }

  async #connect(): Promise<void> {
    this.#reporter = await connectLines(this.#socket('reporter'));
    this.#reporter.on('line', (line) => {
      if (line.endsWith('READY')) this.#isReady = true;
    });
    const monitor = await connectLines(this.#socket('monitor'));
    monitor.on('line', (line) => {
      if ((JSON.parse(line) as { event?: string }).event !== 'RESET') return;
      this.#isReady = false;
      this.emit('restart');
    });
    monitor.send('{"execute":"qmp_capabilities"}');
  }

  #socket(name: string): string {
    return path.join(this.folder, `${name}.socket`);
  }

  #arguments(drive: string): string[] {
    const socket = (name: string) => `unix:${this.#socket(name)},server=on,wait=off`;
    return [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '512'],
      ...['-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-drive', `${drive},if=none,id=disk`, '-device', 'virtio-blk-pci,drive=disk'],
      ...['-netdev', 'user,id=network,ipv6=off'],
      ...['-device', 'virtio-net-pci,netdev=network,romfile='],
      ...['-serial', 'stdio', '-serial', socket('reporter'), '-qmp', socket('monitor')],
    ];
  }
}
