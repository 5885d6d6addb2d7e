/** The launcher that started this agent. */
import { Socket } from 'node:net';
import { join } from 'node:path';
import { UsageError } from '../kernel/errors.ts';
import { EXIT } from '../kernel/exit-codes.ts';
import type { AgentVersion } from './launcher-state.ts';

/** The launcher that started this process, and which agent this is to it. */
export interface LaunchedAs {
  home: string;
  /** `null`: the agent shipped with the launcher. */
  version: AgentVersion | null;
}

export function launcherHome(stateDir: string): string {
  return join(stateDir, 'agent');
}

/**
 * `null` without a launcher.
 * @throws {UsageError} when launcher and configuration disagree
 */
export function readLaunch(env: NodeJS.ProcessEnv, stateDir: string): LaunchedAs | null {
  const { OTA_AGENT_HOME: home, OTA_AGENT_VERSION: version } = env;
  if (!home) return null;
  if (home !== launcherHome(stateDir)) {
    throw new UsageError(
      `The launcher uses ${home}, but state_dir is ${stateDir}: start it with --state-dir ${stateDir}.`,
      EXIT.usage,
    );
  }
  return { home, version: version || null };
}

/** The launcher holds the other end of the agent's standard input, and never writes to it. */
export function onceLauncherIsGone(callback: () => void): void {
  process.stdin.once('end', callback).once('error', callback).resume();
  // Waiting for this alone must not keep the process alive.
  if (process.stdin instanceof Socket) process.stdin.unref();
}
