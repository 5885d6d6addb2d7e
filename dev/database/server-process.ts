/** One run of the `postgres` program: start, readiness, stop, and an end when this process is killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

import type { ServerAccount } from './postgres-account.ts';
import { ProgramOutput } from './program-output.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

export interface ServerCommand {
  postgres: string;
  account: ServerAccount | null;
  cluster: string;
  port: number;
  /** As in postgresql.conf. */
  settings: Record<string, string>;
  /** Told when the server ends without having been asked to, with the last lines of its log. */
  onCrash?: ((report: string) => void) | undefined;
}

export type StopMode = 'fast' | 'immediate';

export interface ServerProcess {
  stop(mode: StopMode): Promise<void>;
}

/** The port was taken between the moment it was found free and the start. */
export class PortTakenError extends Error {}

/** @throws {PortTakenError} or, with the server's log, when it does not start for another reason */
export async function runServer(command: ServerCommand): Promise<ServerProcess> {
  const server = spawn(command.postgres, serverArguments(command), {
    ...command.account,
    cwd: '/',
    env: programEnvironment(),
    // A group of its own: Ctrl-C must not stop the database under a host that is still draining.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(server, 'close');
  const output = await ready(server);
  const guard = guardAgainstOurDeath(server, command.account);
  let stopping = false;
  server.once('close', () => {
    guard.kill('SIGKILL');
    if (!stopping) command.onCrash?.(output.tail());
  });
  // The guard ends the server when this process is through; neither must keep it from ending.
  server.unref();
  guard.unref();
  (server.stderr as Socket).unref();
  (guard.stdin as Socket).unref();
  return {
    async stop(mode) {
      stopping = true;
      server.ref();
      (server.stderr as Socket).ref();
      await end(server, ended, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    },
  };
}

function serverArguments(command: ServerCommand): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(command.port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...command.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', command.cluster, ...flags];
}

/** Nothing of ours: PGPORT, PGDATA and their like would change what the programs do. */
export function programEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

async function ready(server: ChildProcess): Promise<ProgramOutput> {
  return new Promise<ProgramOutput>((resolve, reject) => {
    const output = new ProgramOutput(server, (line) => {
      if (!line.includes('database system is ready to accept connections')) return;
      clearTimeout(timer);
      resolve(output);
    });
    const timer = setTimeout(() => {
      server.kill('SIGKILL');
      reject(new Error(`PostgreSQL did not start in ${START_TIMEOUT_MS} ms:\n${output.tail()}`));
    }, START_TIMEOUT_MS);
    server.once('error', reject);
    server.once('close', () => {
      clearTimeout(timer);
      const log = output.tail();
      const Failure = log.includes('Address already in use') ? PortTakenError : Error;
      reject(new Failure(`PostgreSQL did not start:\n${log}`));
    });
  });
}

/**
 * A shell that waits for its input to close, which the operating system does when this process ends,
 * also by SIGKILL, and then stops the server.
 */
function guardAgainstOurDeath(server: ChildProcess, account: ServerAccount | null): ChildProcess {
  return spawn('/bin/sh', ['-c', 'read -r _; kill -INT "$1"', 'sh', String(server.pid)], {
    ...account,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

async function end(
  server: ChildProcess,
  ended: Promise<unknown>,
  signal: NodeJS.Signals,
): Promise<void> {
  server.kill(signal);
  const impatience = setTimeout(() => server.kill('SIGQUIT'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(impatience);
}
