/** Runs the `postgres` program: start, readiness, stop. It also stops if this process is killed. */
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
  /** Called with the last lines of the log if the server exits unexpectedly. */
  onCrash?: ((report: string) => void) | undefined;
}

export type StopMode = 'fast' | 'immediate';

export interface ServerProcess {
  stop(mode: StopMode): Promise<void>;
}

/** Another process took the port before the server started. */
export class PortTakenError extends Error {}

/**
 * @throws {PortTakenError}
 * @throws Error with the server's log if it does not start for another reason
 */
export async function runServer(command: ServerCommand): Promise<ServerProcess> {
  const server = spawn(command.postgres, serverArguments(command), {
    ...command.account,
    cwd: '/',
    env: programEnvironment(),
    // Its own process group: Ctrl+C must not stop the database while the host is still draining.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(server, 'close');
  const output = await untilReady(server);
  const watchdog = startWatchdog(server, command.account);
  let stopping = false;
  server.once('close', () => {
    watchdog.kill('SIGKILL');
    if (!stopping) command.onCrash?.(output.tail());
  });
  // Neither process may keep this one alive; when it exits, the watchdog stops the server.
  server.unref();
  watchdog.unref();
  (server.stderr as Socket).unref();
  (watchdog.stdin as Socket).unref();
  return {
    async stop(mode) {
      stopping = true;
      server.ref();
      (server.stderr as Socket).ref();
      await terminate(server, ended, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
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

/** A minimal environment: inherited variables such as PGPORT and PGDATA would change what the programs do. */
export function programEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

async function untilReady(server: ChildProcess): Promise<ProgramOutput> {
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
 * Starts a shell that waits for its input to close and then stops the server. The operating system closes
 * the input when this process ends, even by SIGKILL.
 */
function startWatchdog(server: ChildProcess, account: ServerAccount | null): ChildProcess {
  return spawn('/bin/sh', ['-c', 'read -r _; kill -INT "$1"', 'sh', String(server.pid)], {
    ...account,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

async function terminate(
  server: ChildProcess,
  ended: Promise<unknown>,
  signal: NodeJS.Signals,
): Promise<void> {
  server.kill(signal);
  const killTimer = setTimeout(() => server.kill('SIGQUIT'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(killTimer);
}
