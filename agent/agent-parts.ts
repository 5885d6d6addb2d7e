/** What the pieces of a running agent share, and where they keep things in the state folder. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { LaunchedAs } from './launcher/launched-as.ts';
import type { AgentConfig } from './config.ts';
import { readIfPresent, removeDurable, writeDurable } from './state/durable-file.ts';
import { withRoom } from './state/room.ts';
import type { HttpClient } from './network/http-client.ts';
import type { Journal } from './state/journal.ts';
import type { Outbox } from './reports/outbox.ts';
import type { LiveCredentials } from './state/live-credentials.ts';
import type { ServerApi } from './network/server-api.ts';

export interface AgentParts {
  config: AgentConfig;
  journal: Journal;
  outbox: Outbox;
  api: ServerApi;
  http: HttpClient;
  logger: Logger;
  registration: LiveCredentials;
  /** `null` when no launcher started this agent. */
  launch: LaunchedAs | null;
  /** Aborted with `AgentStopping` when the agent has to stop. */
  stopping: AbortSignal;
}

export function workDir(stateDir: string, runId = ''): string {
  return join(stateDir, 'work', runId);
}

/** Where the package of this run is downloaded to. */
export function packageFileOf(stateDir: string, runId: string): string {
  return join(workDir(stateDir, runId), 'package.tar.gz');
}

export function snapshotDir(stateDir: string, runId = ''): string {
  return join(stateDir, 'snapshots', runId);
}

/** The installed version, or `null` when it was never recorded. */
export async function readCurrentVersion(config: AgentConfig): Promise<string | null> {
  const text = await readIfPresent(config.current_version_file);
  return text?.split('\n')[0]?.trim() || null;
}

export async function writeCurrentVersion(
  config: AgentConfig,
  version: string | null,
): Promise<void> {
  if (version === null) await removeDurable(config.current_version_file);
  else {
    await withRoom(config.state_dir, () =>
      writeDurable(config.current_version_file, `${version}\n`, 0o644),
    );
  }
}

/**
 * The highest manifest sequence that was ever installed. Kept apart from the journal, so that a
 * damaged journal does not open the way to old versions.
 * @throws Error when it is there and cannot be read
 */
export async function readSequence(config: AgentConfig): Promise<number | null> {
  const text = await readIfPresent(join(config.state_dir, 'sequence'));
  if (text === null) return null;
  const sequence = Number(text.trim() || Number.NaN);
  if (!Number.isSafeInteger(sequence)) {
    throw new Error(`${join(config.state_dir, 'sequence')} does not hold a number`);
  }
  return sequence;
}

export async function raiseSequence(config: AgentConfig, sequence: number): Promise<void> {
  if (sequence <= ((await readSequence(config)) ?? -1)) return;
  await withRoom(config.state_dir, () =>
    writeDurable(join(config.state_dir, 'sequence'), `${sequence}\n`),
  );
}
