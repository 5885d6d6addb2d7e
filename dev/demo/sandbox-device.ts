/** A device of the demo: a folder as its file system, and a real agent process that uses it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { AdminClient } from './admin-client.ts';
import { INSTALLED_PATHS, NEW_VERSION, OLD_VERSION, filesOf } from './update-package.ts';

const STOP_TIMEOUT_MS = 10_000;

export interface SandboxSettings {
  folder: string;
  name: string;
  serverUrl: string;
  /** The bundled agent. */
  agentPath: string;
  /** The new version does not support the first revision. */
  sensorBoard: 'revision-1' | 'revision-2';
}

export class SandboxDevice {
  readonly name: string;
  readonly sensorBoard: SandboxSettings['sensorBoard'];
  readonly logFile: string;
  readonly #root: string;
  readonly #config: string;
  #id = '';
  #process: ChildProcess | undefined;

  constructor(private readonly settings: SandboxSettings) {
    this.name = settings.name;
    this.sensorBoard = settings.sensorBoard;
    this.#root = path.join(settings.folder, 'root');
    this.#config = path.join(settings.folder, 'agent.json');
    this.logFile = path.join(settings.folder, 'agent.log');
  }

  /** UUID in Ops-Center; empty until the device is registered. */
  get id(): string {
    return this.#id;
  }

  /** Installs the old version and registers the device. */
  async prepare(admin: AdminClient): Promise<void> {
    await this.#writeFiles(filesOf(OLD_VERSION));
    await this.#writeFiles({ 'sys/sensor-board': this.sensorBoard });
    await writeFile(this.#config, JSON.stringify(this.#agentConfig(), null, 2));
    const created = await admin.createDevice(this.name);
    this.#id = created.device_id;
    await this.#register(created.registration_token);
  }

  /** Starts the agent, which polls until it is stopped. */
  start(): void {
    const log = createWriteStream(this.logFile);
    this.#process = spawn(
      process.execPath,
      [this.settings.agentPath, 'run', '--config', this.#config],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#process.stdout?.pipe(log, { end: false });
    this.#process.stderr?.pipe(log, { end: false });
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGTERM');
    const kill = setTimeout(() => running.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(kill);
  }

  /**
   * The installed version, determined from the files: all files of the version and no others in the folders
   * that an update changes. `null` if the files match no version.
   */
  async installedVersion(): Promise<string | null> {
    const found = await this.#readFiles();
    for (const version of [OLD_VERSION, NEW_VERSION]) {
      if (sameFiles(found, filesOf(version))) return version;
    }
    return null;
  }

  async #register(token: string): Promise<void> {
    const { agentPath, serverUrl, name } = this.settings;
    const register = spawn(
      process.execPath,
      [
        ...[agentPath, 'register', '--config', this.#config, '--server', serverUrl],
        ...['--hardware-id', `demo-${name}`, '--firmware-version', OLD_VERSION],
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, OTA_REGISTRATION_TOKEN: token },
      },
    );
    let errorOutput = '';
    register.stderr.on('data', (chunk: Buffer) => (errorOutput += chunk.toString()));
    const [code] = (await once(register, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${name} could not register: ${errorOutput.trim()}`);
  }

  #agentConfig(): object {
    return {
      server: { url: this.settings.serverUrl },
      state_dir: path.join(this.settings.folder, 'state'),
      root: this.#root,
      // The server requests a poll every second; allow the agent to follow.
      poll: { interval_seconds: 1, min_seconds: 0.5 },
      snapshot_paths: INSTALLED_PATHS,
      install: { timeout_seconds: 30 },
      health: {
        checks: [
          {
            type: 'command',
            command: 'bash "$OTA_ROOT/usr/local/bin/edge_agent.sh"',
            retries: 1,
            interval_seconds: 0.5,
          },
        ],
        passes_required: 2,
        deadline_seconds: 20,
        // Not even where the demo runs under systemd: nothing of it is a service.
        watch_seconds: 0,
      },
      download: { allow_insecure_loopback: true },
      log_level: 'info',
    };
  }

  async #writeFiles(files: Record<string, string>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(this.#root, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content);
    }
  }

  async #readFiles(): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    for (const folder of INSTALLED_PATHS) {
      for (const name of await readdir(path.join(this.#root, folder))) {
        files[`${folder}/${name}`] = await readFile(path.join(this.#root, folder, name), 'utf8');
      }
    }
    return files;
  }
}

function sameFiles(found: Record<string, string>, expected: Record<string, string>): boolean {
  const names = Object.keys(expected);
  return (
    Object.keys(found).length === names.length &&
    names.every((name) => found[name] === expected[name])
  );
}
