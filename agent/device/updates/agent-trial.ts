/**
 * The agent's part in its own update. `install.sh` puts the new agent into a folder it is told; after
 * the health checks the agent hands it to the launcher and ends. The new agent finds the update at the
 * step `trial`, and finishes it once the server has answered; when it does not, the launcher starts
 * the old agent again, which finds the same step and goes back.
 */
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentParts } from './agent-parts.ts';
import { workDir } from '../../files/state-folder.ts';
import { AgentHandingOver, NotNow, StepFailure, messageOf } from '../../kernel/errors.ts';
import type { ActiveUpdate } from '../state/journal.ts';
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
import { untilServerKnowsUs } from './server-contact.ts';

/** What `install.sh` is told: where it may put a new agent. Nothing without a launcher. */
export async function prepareAgentFolder(
  { config, launch }: AgentParts,
  runId: string,
): Promise<Record<string, string>> {
  if (!launch) return {};
  const folder = agentFolder(config.state_dir, runId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { OTA_AGENT_FOLDER: folder };
}

/**
 * The agent that `install.sh` brought; `null` when it brought none, or the one at work.
 * @throws {StepFailure} when what it left there is no agent
 */
export async function findNewAgent(
  { config, launch }: AgentParts,
  runId: string,
): Promise<AgentVersion | null> {
  if (!launch) return null;
  const file = await newAgentFile(config.state_dir, runId);
  if (file === null) return null;
  const version = await digestOf(file);
  return version === launch.version ? null : version;
}

/**
 * An agent on trial has one thing to do. When the update that brought it is not at the step `trial` (the
 * journal was damaged), it must not begin anything: the launcher would end it in the middle.
 * @throws {StepFailure}
 */
export async function refuseTrialWithoutUpdate({ journal, launch }: AgentParts): Promise<void> {
  if (launch === null || launch.version === null) return;
  const { active } = journal.state;
  if (active?.kind === 'update' && active.agent === launch.version && active.step === 'trial')
    return;
  const trial = (await readLauncherState(launch.home))?.trial;
  if (trial?.version !== launch.version || (await isConfirmed(launch.home, trial.run_id))) return;
  throw new StepFailure(
    'This agent is on trial, but no update in the journal is: nothing to do here.',
  );
}

/**
 * The step `trial`.
 * @returns why the device has to go back; `null` when the new agent is confirmed
 * @throws {AgentHandingOver} the launcher has to start the new agent
 * @throws {AgentStopping}
 * @throws {NotNow} without a launcher nothing can be tried
 */
export async function concludeTrial(
  parts: AgentParts,
  work: ActiveUpdate & { agent: AgentVersion },
): Promise<{ failure: string } | null> {
  const { config, journal, launch } = parts;
  const { agent: version, run_id } = work;
  if (!launch) throw new NotNow('a new agent is on trial: start ota-launcher, or its service');
  if (launch.version === version) {
    if (!(await isConfirmed(launch.home, run_id))) {
      await untilServerKnowsUs(parts, parts.stopping);
      await writeRequest(launch.home, 'confirmed', { version, run_id });
    }
    return null;
  }
  const rejected = (await readLauncherState(launch.home))?.rejected;
  if (rejected?.run_id === run_id) return { failure: rejected.reason };
  if (work.health_runs >= config.health.max_interrupted_runs) {
    return {
      failure: `The launcher did not take up the new agent, asked ${work.health_runs} times.`,
    };
  }
  await journal.advance(work, { health_runs: work.health_runs + 1 });
  try {
    await handOver(parts, launch, work);
  } catch (error) {
    return { failure: `The new agent could not be stored: ${messageOf(error)}` };
  }
  throw new AgentHandingOver();
}

async function handOver(
  { config, logger }: AgentParts,
  { home }: LaunchedAs,
  { agent: version, run_id }: ActiveUpdate & { agent: AgentVersion },
): Promise<void> {
  if (!(await findProgram(home, version))) {
    const file = await newAgentFile(config.state_dir, run_id);
    if (file === null) throw new StepFailure('its file is gone');
    await storeVersion(home, version, file);
  }
  await writeRequest(home, 'next', { version, run_id });
  logger.info({ agent: version }, 'handing over to the new agent');
}

async function isConfirmed(home: string, runId: string): Promise<boolean> {
  return (await readRequests(home)).confirmed?.run_id === runId;
}

async function newAgentFile(stateDir: string, runId: string): Promise<string | null> {
  const folder = agentFolder(stateDir, runId);
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

function agentFolder(stateDir: string, runId: string): string {
  return join(workDir(stateDir, runId), 'agent');
}
