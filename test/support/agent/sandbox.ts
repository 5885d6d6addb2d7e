/** A device in a temporary folder: its root, its agent's state and configuration, its processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JournalState } from '../../../agent/device/state/journal.ts';
import { removeEmptyControlGroups } from '../../../agent/device/process/control-group.ts';
import type { CycleNote } from '../../../agent/device/loop/cycle-note.ts';
import type { AgentStatus } from '../../../agent/device/cli/status.ts';
import { agentProgram, faultInjection } from './agent-program.ts';
import { DEVICE_ID, DEVICE_TOKEN } from './device-server.ts';

export interface AgentExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningAgent {
  process: ChildProcess;
  /** Resolves when the agent has logged something: it is running. */
  firstLine: Promise<void>;
  /** Resolves when its log has this in it. */
  said(text: string): Promise<void>;
  exit: Promise<AgentExit>;
}

/** Merged into the configuration, section by section. */
export type ConfigChange = Record<string, unknown>;

export class Sandbox {
  readonly #running = new Set<ChildProcess>();
  /** Put before the agent's command line; see `mount-namespace.ts`. */
  prefix: string[] = [];

  private constructor(readonly dir: string) {}

  /** A registered device on version 1.0.0 whose `/app` is what updates change. */
  static async create(
    serverUrl: string,
    change: ConfigChange = {},
    folder?: string,
  ): Promise<Sandbox> {
    const dir = folder ?? (await mkdtemp(join(tmpdir(), 'ota-agent-')));
    const sandbox = new Sandbox(dir);
    await sandbox.write('app/version.txt', 'old\n');
    await sandbox.write('app/bin/tool', '#!/bin/sh\necho old\n', 0o755);
    await sandbox.write('app/data/settings.json', '{"keep":true}');
    await sandbox.settle();
    await sandbox.configure(change);
    await mkdir(sandbox.state(), { recursive: true });
    await writeFile(
      sandbox.state('credentials.json'),
      JSON.stringify({
        server_url: serverUrl,
        device_id: DEVICE_ID,
        device_name: 'pump-7',
        organization_id: 'organization-1',
        auth_token: DEVICE_TOKEN,
        heartbeat_interval: 3600,
        config_version: 1,
        hardware_id: 'hardware-7',
      }),
    );
    await writeFile(sandbox.state('current-version'), '1.0.0\n');
    return sandbox;
  }

  /** A device that is there already, with its agent at another server now. */
  static async at(dir: string, serverUrl: string): Promise<Sandbox> {
    const sandbox = new Sandbox(dir);
    const path = sandbox.state('credentials.json');
    const credentials = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...credentials, server_url: serverUrl }));
    return sandbox;
  }

  root(path = ''): string {
    return join(this.dir, 'root', path);
  }

  state(path = ''): string {
    return join(this.dir, 'state', path);
  }

  get configPath(): string {
    return join(this.dir, 'config.json');
  }

  async configure(change: ConfigChange): Promise<void> {
    const base: ConfigChange = {
      state_dir: this.state(),
      root: this.root(),
      poll: { interval_seconds: 0.1, min_seconds: 0.01, jitter_percent: 0 },
      reports: { wait_seconds: 5, retry_min_seconds: 0.02, retry_max_seconds: 0.1 },
      snapshot_paths: ['app'],
      // On a machine with systemd, every update would be watched for ten seconds.
      health: { watch_seconds: 0 },
      install: { timeout_seconds: 20, kill_grace_seconds: 0.2 },
      download: { allow_insecure_loopback: true, stall_timeout_seconds: 5 },
      log_level: 'debug',
    };
    const merged: ConfigChange = { ...base };
    for (const [key, value] of Object.entries(change)) {
      const before = base[key];
      const sections = isObject(before) && isObject(value);
      merged[key] = sections ? { ...before, ...value } : value;
    }
    await writeFile(this.configPath, JSON.stringify(merged, null, 2));
  }

  async write(path: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.root(path)), { recursive: true });
    await writeFile(this.root(path), content, { mode });
  }

  /** Gives everything a whole-second time: finer ones are restored with a rounding. */
  async settle(path = ''): Promise<void> {
    const full = this.root(path);
    if ((await lstat(full)).isDirectory()) {
      for (const name of await readdir(full)) await this.settle(join(path, name));
    }
    await lutimes(full, 1_600_000_000, 1_600_000_000);
  }

  async read(path: string): Promise<string> {
    return readFile(this.root(path), 'utf8');
  }

  async currentVersion(): Promise<string> {
    return (await readFile(this.state('current-version'), 'utf8')).trim();
  }

  async start(args: string[], faults: Record<string, string> = {}): Promise<RunningAgent> {
    const preload = Object.keys(faults).length > 0 ? ['--import', await faultInjection()] : [];
    const program = await agentProgram();
    const line = [...this.prefix, process.execPath, ...preload, program, ...args];
    const child = spawn(line[0] as string, [...line.slice(1), '--config', this.configPath], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', ...faults },
    });
    this.#running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const exit = once(child, 'close').then(([code, signal]) => {
      this.#running.delete(child);
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout,
        stderr,
      };
    });
    const firstLine = once(child.stderr, 'data').then(() => undefined);
    firstLine.catch(() => undefined);
    const said = async (text: string): Promise<void> => {
      while (!stderr.includes(text)) await once(child.stderr, 'data');
    };
    return { process: child, firstLine, said, exit };
  }

  async run(args: string[], faults: Record<string, string> = {}): Promise<AgentExit> {
    return (await this.start(args, faults)).exit;
  }

  /** `ota-agent once`. */
  async once(faults: Record<string, string> = {}): Promise<AgentExit> {
    return this.run(['once'], faults);
  }

  /** What the agent has on disk about open work and undelivered reports. */
  async open(): Promise<{ active: JournalState['active']; reportsWaiting: number }> {
    const text = await readFile(this.state('journal.json'), 'utf8').catch(() => null);
    const journal = text === null ? null : (JSON.parse(text) as { state: JournalState });
    const waiting = await readdir(this.state('outbox')).catch(() => [] as string[]);
    return { active: journal?.state.active ?? null, reportsWaiting: waiting.length };
  }

  /** What a running agent last noted about itself. */
  async lastCycle(): Promise<CycleNote | null> {
    try {
      return JSON.parse(await readFile(this.state('last-cycle.json'), 'utf8')) as CycleNote;
    } catch {
      // Not there yet, or just being written.
      return null;
    }
  }

  async status(): Promise<AgentStatus> {
    return JSON.parse((await this.run(['status', '--json'])).stdout) as AgentStatus;
  }

  /** Everything about the device's files that an update may change, as one text. */
  async picture(path = 'app'): Promise<string> {
    const lines: string[] = [];
    await describe(this.root(path), path, lines);
    return lines.join('\n');
  }

  async remove(): Promise<void> {
    for (const child of this.#running) {
      child.kill('SIGKILL');
      await once(child, 'close').catch(() => undefined);
    }
    await removeEmptyControlGroups(this.state());
    await rm(this.dir, { recursive: true, force: true });
  }
}

async function describe(path: string, name: string, lines: string[]): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found) {
    lines.push(`${name} absent`);
    return;
  }
  const mode = (found.mode & 0o7777).toString(8);
  const owner = `${found.uid}:${found.gid}`;
  const time = Math.round(found.mtimeMs);
  if (found.isSymbolicLink()) lines.push(`${name} → ${await readlink(path)} ${owner}`);
  else if (found.isDirectory()) {
    lines.push(`${name}/ ${mode} ${owner} ${time}`);
    for (const child of (await readdir(path)).sort()) {
      await describe(join(path, child), `${name}/${child}`, lines);
    }
  } else {
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
      .slice(0, 16);
    lines.push(`${name} ${mode} ${owner} ${time} ${digest}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
