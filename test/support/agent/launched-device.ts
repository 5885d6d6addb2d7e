/** A device whose agent is started by the launcher, as a service manager would start that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lockHolder } from '../../../agent/files/lock.ts';
import { bundle } from '../../../dev/shipping/bundle.ts';
import { agentProgram, faultInjection } from './agent-program.ts';
import { type AgentExit, Sandbox } from './sandbox.ts';

let built: Promise<{ agent: string; launcher: string }> | null = null;

/** What is shipped, made once a run. */
export function shippedPrograms(): Promise<{ agent: string; launcher: string }> {
  built ??= (async () => {
    const folder = join(dirname(await agentProgram()), 'shipped');
    const agent = await bundle('ota-agent.cjs', folder);
    const launcher = await bundle('ota-launcher.cjs', folder);
    return { agent: agent.file, launcher: launcher.file };
  })();
  return built;
}

export interface RunningLauncher {
  pid: number;
  /** To the launcher alone. */
  kill: (signal: NodeJS.Signals) => void;
  exit: Promise<AgentExit>;
  stderr: () => string;
}

export interface LaunchSettings {
  trialSeconds?: number;
  trialBoots?: number;
  faults?: Record<string, string>;
}

/** In a process group of its own, so that a power cut can end launcher and agent at once. */
export function spawnLauncher(
  file: string,
  args: string[],
  env: Record<string, string>,
): RunningLauncher {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
  const { pid } = child;
  if (pid === undefined) throw new Error('the launcher could not be started');
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exit = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  return { pid, exit, stderr: () => stderr, kill: (signal) => void child.kill(signal) };
}

export class LaunchedDevice {
  readonly #groups = new Set<number>();

  private constructor(readonly sandbox: Sandbox) {}

  static async create(serverUrl: string): Promise<LaunchedDevice> {
    const sandbox = await Sandbox.create(serverUrl, { poll: QUICK_POLL });
    const { agent, launcher } = await shippedPrograms();
    const bin = (name: string): string => join(sandbox.dir, 'bin', name);
    await mkdir(bin(''));
    await copyFile(launcher, bin('ota-launcher.cjs'));
    await copyFile(agent, bin('ota-agent.cjs'));
    return new LaunchedDevice(sandbox);
  }

  /** Another agent comes with the launcher. */
  async bring(source: string): Promise<void> {
    await writeFile(join(this.sandbox.dir, 'bin/ota-agent.cjs'), source);
  }

  async launch({
    trialSeconds,
    trialBoots,
    faults,
  }: LaunchSettings = {}): Promise<RunningLauncher> {
    const preload = faults ? ['--import', await faultInjection()] : [];
    const launcher = spawnLauncher(
      process.execPath,
      [
        ...preload,
        join(this.sandbox.dir, 'bin/ota-launcher.cjs'),
        ...['--state-dir', this.sandbox.state()],
        ...(trialSeconds ? ['--trial-seconds', String(trialSeconds)] : []),
        ...(trialBoots ? ['--trial-boots', String(trialBoots)] : []),
      ],
      { PATH: process.env.PATH ?? '', OTA_AGENT_CONFIG: this.sandbox.configPath, ...faults },
    );
    this.#groups.add(launcher.pid);
    return launcher;
  }

  /** Ends launcher and agent as a power cut does. */
  cutPower({ pid }: RunningLauncher): void {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Both have ended already.
    }
    this.#groups.delete(pid);
  }

  /** Process id of the running agent. */
  async agentProcess(): Promise<number> {
    const pid = await lockHolder(this.sandbox.state());
    if (pid === null) throw new Error('no agent is at work');
    return pid;
  }

  /** SHA-256 of the running agent, by the name of its folder; `null`: the launcher's own. */
  async agentAtWork(): Promise<string | null> {
    const command = await readFile(`/proc/${await this.agentProcess()}/cmdline`, 'utf8');
    return /versions\/([0-9a-f]{64})\//.exec(command)?.[1] ?? null;
  }

  async remove(): Promise<void> {
    for (const pid of this.#groups) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // Ended.
      }
    }
    await this.sandbox.remove();
  }
}

const QUICK_POLL = { interval_seconds: 0.1, min_seconds: 0.05, jitter_percent: 0 };
