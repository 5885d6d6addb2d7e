/**
 * The agent's part in its own update. `install.sh` puts the new agent into `OTA_AGENT_FOLDER`; after the
 * health checks the old agent stores it, asks the launcher for a trial and exits. The new agent finds the
 * update at the step `trial`, and completes it once the server has answered; when it does not, the launcher
 * starts the old agent again, which finds the same step and rolls back.
 */
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { workDir } from '../../files/state-folder.ts';
import {
  PROGRAM_NAMES,
  digestOf,
  findProgram,
  storeVersion,
} from '../../handoff/agent-versions.ts';
import type { LaunchedAs } from '../../handoff/launched-as.ts';
import {
  type AgentVersion,
  readLauncherState,
  readRequests,
  writeRequest,
} from '../../handoff/launcher-state.ts';
import { AgentHandoff, Deferred, StepFailure, messageOf } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { ActiveUpdate, Journal } from '../state/journal.ts';
import { isExhausted } from './interruptions.ts';
import type { ServerContact } from './server-contact.ts';

export class AgentTrial {
  /** @param launch `null` when no launcher started this agent */
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly launch: LaunchedAs | null,
    private readonly contact: ServerContact,
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  /** The variable that names the folder for a new agent to `install.sh`. Nothing without a launcher. */
  async prepareFolder(runId: string): Promise<Record<string, string>> {
    if (!this.launch) return {};
    const folder = this.#folderOf(runId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return { OTA_AGENT_FOLDER: folder };
  }

  /**
   * The agent that `install.sh` installed; `null` when there is none, or it is the running one.
   * @throws {StepFailure} when what it left there is no agent
   */
  async findNewAgent(runId: string): Promise<AgentVersion | null> {
    if (!this.launch) return null;
    const file = await this.#newAgentFile(runId);
    if (file === null) return null;
    const version = await digestOf(file);
    return version === this.launch.version ? null : version;
  }

  /**
   * An agent on trial has one thing to do. When the update that brought it is not at the step `trial` (the
   * journal was damaged), it must not start anything: the launcher would stop it in the middle.
   * @throws {StepFailure}
   */
  async refuseTrialWithoutUpdate(): Promise<void> {
    const { launch } = this;
    if (launch === null || launch.version === null) return;
    const { active } = this.journal.state;
    if (active?.kind === 'update' && active.agent === launch.version && active.step === 'trial')
      return;
    const trial = (await readLauncherState(launch.home))?.trial;
    if (trial?.version !== launch.version || (await isConfirmed(launch.home, trial.run_id))) return;
    throw new StepFailure(
      'This agent is on trial, but the journal has no update that brought it: it does nothing.',
    );
  }

  /**
   * The step `trial`.
   * @returns why the device has to roll back; `null` when the new agent is confirmed
   * @throws {AgentHandoff} the launcher has to start the new agent
   * @throws {AgentStopping}
   * @throws {Deferred} there is no launcher to start the new agent
   */
  async conclude(
    work: ActiveUpdate & { agent: AgentVersion },
  ): Promise<{ failure: string } | null> {
    const { launch } = this;
    const { agent: version, run_id } = work;
    if (!launch) {
      throw new Deferred('a new agent is on trial: start ota-launcher, or its service');
    }
    if (launch.version === version) {
      if (!(await isConfirmed(launch.home, run_id))) {
        await this.contact.waitUntilAnswered(this.stopping);
        await writeRequest(launch.home, 'confirmed', { version, run_id });
      }
      return null;
    }
    const rejected = (await readLauncherState(launch.home))?.rejected;
    if (rejected?.run_id === run_id) return { failure: rejected.reason };
    if (isExhausted(this.config, work, work.health_runs)) {
      return {
        failure: `The launcher did not start the new agent after ${work.health_runs} requests.`,
      };
    }
    await this.journal.advance(work, { health_runs: work.health_runs + 1 });
    try {
      await this.#requestTrial(launch.home, work);
    } catch (error) {
      return { failure: `The new agent could not be stored: ${messageOf(error)}` };
    }
    throw new AgentHandoff();
  }

  async #requestTrial(
    home: string,
    { agent: version, run_id }: ActiveUpdate & { agent: AgentVersion },
  ): Promise<void> {
    if (!(await findProgram(home, version))) {
      const file = await this.#newAgentFile(run_id);
      if (file === null) throw new StepFailure('its file is gone');
      await storeVersion(home, version, file);
    }
    await writeRequest(home, 'next', { version, run_id });
    this.logger.info({ agent: version }, 'stopping, so that the launcher starts the new agent');
  }

  async #newAgentFile(runId: string): Promise<string | null> {
    const folder = this.#folderOf(runId);
    const names = await readdir(folder).catch(() => [] as string[]);
    const [name] = names;
    if (name === undefined) return null;
    const file = join(folder, name);
    if (names.length > 1 || !PROGRAM_NAMES.includes(name) || !(await lstat(file)).isFile()) {
      throw new StepFailure(
        `install.sh may put one file into OTA_AGENT_FOLDER, ${PROGRAM_NAMES.join(' or ')}; it left ${names.join(', ')}.`,
      );
    }
    return file;
  }

  #folderOf(runId: string): string {
    return join(workDir(this.config.state_dir, runId), 'agent');
  }
}

async function isConfirmed(home: string, runId: string): Promise<boolean> {
  return (await readRequests(home)).confirmed?.run_id === runId;
}
