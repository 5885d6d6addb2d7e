/**
 * Starts the agent, and gives a new agent a trial: it rolls back to the previous one when the new one does not
 * stay up or does not confirm in time. The launcher itself is never replaced, so it does as little as possible:
 * nothing about updates, servers or configuration. Outside of a trial the launcher exits with the agent;
 * restarting is for the service manager.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT } from '../kernel/exit-codes.ts';
import { takeLock } from '../files/lock.ts';
import { type Program, findProgram, pruneVersions } from '../handoff/agent-versions.ts';
import {
  type LauncherState,
  type Trial,
  isConfirmed,
  moveDamagedState,
  readLauncherState,
  readRequests,
  reject,
  settle,
  stateWithoutMemory,
  writeLauncherState,
} from '../handoff/launcher-state.ts';
import { LastLines } from './last-lines.ts';

/** Between SIGTERM and SIGKILL for an agent whose trial failed; it runs no script that needs longer. */
const STOP_GRACE_MS = 3_000;
/** Between two starts of an agent on trial. */
const PAUSE_MS = 1000;
const LAST_OUTPUT_MS = 500;

export interface LauncherSettings {
  /** Folder of the launcher: `agent` in the agent's `state_dir`. */
  home: string;
  /** The agent shipped with the launcher: as long as there is no other, and when all else fails. */
  factory: Program;
  trialMs: number;
  /** Starts of an agent on trial before it is rejected. */
  trialBoots: number;
  log: (message: string) => void;
  /** Aborted by SIGTERM or SIGINT. */
  stopping: AbortSignal;
}

/** How the agent exited. */
export interface AgentEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of its standard error, when it was on trial. */
  lastLines: string;
}

export class Launcher {
  #state!: LauncherState;
  /** A trial's time, all its starts together. */
  #deadline: { run_id: string; at: number } | null = null;

  constructor(private readonly settings: LauncherSettings) {}

  /**
   * Runs agents until one exits for good.
   * @throws {LockHeld} another launcher uses this folder
   */
  async run(): Promise<AgentEnd> {
    const { home, stopping, log } = this.settings;
    await mkdir(home, { recursive: true, mode: 0o700 });
    await takeLock(home, dirname(home));
    await this.#load();
    for (;;) {
      await this.#settle();
      const { current, trial } = this.#state;
      await pruneVersions(home, [current, trial?.version ?? null]).catch((error: unknown) =>
        log(`unused agents could not be removed: ${String(error)}`),
      );
      const end = trial ? await this.#tryAgent(trial) : await this.#runCurrent();
      if (stopping.aborted) return end;
      if (trial && !(await this.#isConfirmed(trial))) continue;
      if (end.code === EXIT.handoff && (await this.#hasRequest())) continue;
      log(`the agent ${describeEnd(end)}`);
      return end;
    }
  }

  async #load(): Promise<void> {
    const { home, log } = this.settings;
    const state = await readLauncherState(home);
    if (state) {
      this.#state = state;
      return;
    }
    log(`the launcher's state cannot be read and was moved to ${await moveDamagedState(home)}`);
    await this.#write(stateWithoutMemory(await readRequests(home)));
  }

  async #settle(): Promise<void> {
    const { home, log } = this.settings;
    const settled = settle(this.#state, await readRequests(home));
    if (settled === this.#state) return;
    await this.#write(settled);
    if (settled.trial) log(`agent ${settled.trial.version} goes on trial`);
    else log(`agent ${settled.current} is confirmed`);
  }

  async #hasRequest(): Promise<boolean> {
    return settle(this.#state, await readRequests(this.settings.home)) !== this.#state;
  }

  async #runCurrent(): Promise<AgentEnd> {
    const { home, factory, log } = this.settings;
    const { current } = this.#state;
    const program = current === null ? factory : await findProgram(home, current);
    if (program) return this.#startAgent(program, current);
    log(`agent ${current} is missing or damaged; starting the one shipped with the launcher`);
    return this.#startAgent(factory, null);
  }

  /** One start of the agent on trial; the state tells afterwards whether there is another. */
  async #tryAgent(trial: Trial): Promise<AgentEnd> {
    const { home, trialBoots, trialMs, stopping } = this.settings;
    if (this.#deadline?.run_id !== trial.run_id) {
      this.#deadline = { run_id: trial.run_id, at: performance.now() + trialMs };
    }
    const started = { ...trial, boots: trial.boots + 1 };
    const program = await findProgram(home, trial.version);
    if (!program || trial.boots >= trialBoots) {
      const reason = program
        ? `The new agent was started ${trial.boots} times and was interrupted each time before it had reached the server.`
        : 'The file of the new agent is missing or damaged.';
      await this.#rollBack(trial, reason);
      return { code: null, signal: null, lastLines: '' };
    }
    await this.#write({ ...this.#state, trial: started });
    const { end, timedOut } = await this.#startWithDeadline(program, trial, this.#deadline.at);
    if (await this.#isConfirmed(trial)) return end;
    if (timedOut) {
      await this.#rollBack(
        trial,
        `The new agent did not reach the server within ${trialMs / 1000} seconds.${quote(end)}`,
      );
    } else if (stopping.aborted || end.code === EXIT.locked) {
      // Not a failed start: the device shuts down, or an agent from before a crash is still running.
      await this.#write({ ...this.#state, trial });
      if (end.code === EXIT.locked) await this.#rest(PAUSE_MS);
    } else if (started.boots >= trialBoots) {
      await this.#rollBack(
        trial,
        `The new agent did not stay up: it was started ${started.boots} times and ${describeEnd(end)} the last time.${quote(end)}`,
      );
    } else {
      this.settings.log(`the agent on trial ${describeEnd(end)} before it confirmed`);
      await this.#rest(PAUSE_MS * started.boots);
    }
    return end;
  }

  async #startWithDeadline(
    program: Program,
    trial: Trial,
    deadline: number,
  ): Promise<{ end: AgentEnd; timedOut: boolean }> {
    let timedOut = false;
    let timer: NodeJS.Timeout | undefined;
    const stopUnlessConfirmed = async (child: ChildProcess): Promise<void> => {
      if (await this.#isConfirmed(trial)) return;
      timedOut = true;
      child.kill('SIGTERM');
      timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    };
    const end = await this.#startAgent(program, trial.version, (child) => {
      const left = Math.max(0, deadline - performance.now());
      timer = setTimeout(() => void stopUnlessConfirmed(child), left);
    });
    clearTimeout(timer);
    return { end, timedOut };
  }

  /** @param onTrialStart for an agent on trial: its standard error is kept as well as passed on */
  async #startAgent(
    program: Program,
    version: string | null,
    onTrialStart?: (child: ChildProcess) => void,
  ): Promise<AgentEnd> {
    const { home, stopping } = this.settings;
    const child = spawn(program.file, [...program.args, 'run'], {
      // The end of its standard input tells the agent that the launcher is gone.
      stdio: ['pipe', 'inherit', onTrialStart ? 'pipe' : 'inherit'],
      env: { ...process.env, OTA_AGENT_HOME: home, OTA_AGENT_VERSION: version ?? '' },
    });
    const closed = new Promise((resolve) => child.once('close', resolve));
    const lastLines = new LastLines();
    child.stderr?.on('data', (chunk: Buffer) => {
      lastLines.add(chunk);
      process.stderr.write(chunk);
    });
    const stop = (): void => void child.kill('SIGTERM');
    stopping.addEventListener('abort', stop, { once: true });
    if (stopping.aborted) stop();
    onTrialStart?.(child);
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      // Its last output may still be in the pipe, which a child of its own may hold open.
      if (child.stderr) await Promise.race([closed, pause(LAST_OUTPUT_MS)]);
      return { code, signal, lastLines: lastLines.text() };
    } catch (error) {
      // Not an executable of this machine, no memory, …
      return { code: null, signal: null, lastLines: String(error) };
    } finally {
      stopping.removeEventListener('abort', stop);
    }
  }

  /** Read from disk: the agent may have confirmed at the last moment. */
  async #isConfirmed(trial: Trial): Promise<boolean> {
    return isConfirmed(trial, await readRequests(this.settings.home));
  }

  async #rollBack(trial: Trial, reason: string): Promise<void> {
    this.settings.log(`rolling back to the previous agent: ${reason}`);
    await this.#write(reject(this.#state, trial, reason));
  }

  async #write(state: LauncherState): Promise<void> {
    await writeLauncherState(this.settings.home, state);
    this.#state = state;
  }

  async #rest(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.settings.stopping }).catch(() => undefined);
  }
}

function describeEnd({ code, signal }: AgentEnd): string {
  if (signal !== null) return `was killed by ${signal}`;
  return code === null ? 'could not be started' : `exited with code ${code}`;
}

function quote({ lastLines }: AgentEnd): string {
  return lastLines ? ` Its last lines:\n${lastLines}` : '';
}
