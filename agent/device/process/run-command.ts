/** Runs a command in its own process group, with a time limit and limited output. */
import { spawn } from 'node:child_process';
import { userInfo } from 'node:os';
import { once } from 'node:events';
import { LimitedOutput } from './limited-output.ts';

/** How long output is still read after the command has exited (a child may hold the pipe). */
const LAST_OUTPUT_MS = 1000;
/** Of what a command printed, in {@link describeWithOutput}. */
const SHOWN_CHARACTERS = 300;
/** Variables that a script inherits from the agent. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
/**
 * Soft limit of open files, the default of kernel and service manager. Node raises its own to the hard limit,
 * which breaks programs that use select() or close every possible file. A script may raise it again.
 */
const OPEN_FILES = 1024;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CommandRequest {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  timeoutMs: number;
  /** Between TERM and KILL. */
  graceMs: number;
  outputLimit: number;
  /** Folder of the control group to run in; a command that may not enter it runs outside. */
  controlGroup?: string | null;
  /** Starts the program directly: outside of any group, and with the agent's own limits. */
  direct?: true;
  /** Stops the command as the time limit would. */
  signal?: AbortSignal;
  onOutput?: (chunk: Buffer) => void;
}

export interface CommandResult {
  /** `null` when the command was killed by a signal or could not be started. */
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  /** Why the command could not be started. */
  startError: string | null;
  output: string;
}

/** Never rejects: faults are in the result. */
export async function runCommand(request: CommandRequest): Promise<CommandResult> {
  const output = new LimitedOutput(request.outputLimit);
  const [file, args] = commandLine(request);
  const child = spawn(file, args, {
    cwd: request.cwd,
    env: commandEnvironment(request.env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const streams = [child.stdout, child.stderr];
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      output.write(chunk);
      request.onOutput?.(chunk);
    });
    stream.on('error', () => undefined);
  }
  let timedOut = false;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (killTimer) return;
    signalGroup(child.pid, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), request.graceMs);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, request.timeoutMs);
  request.signal?.addEventListener('abort', stop, { once: true });
  if (request.signal?.aborted) stop();
  let startError: string | null = null;
  let code: number | null = null;
  let signal: NodeJS.Signals | null = null;
  try {
    [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    startError = (error as Error).message;
  } finally {
    clearTimeout(limit);
    request.signal?.removeEventListener('abort', stop);
  }
  if (killTimer) {
    clearTimeout(killTimer);
    signalGroup(child.pid, 'SIGKILL');
  }
  await lastOutput(streams);
  return { code, signal, timedOut, startError, output: output.text() };
}

/** `exited with code 3`, `was killed by SIGSEGV`, …; `null` when the command succeeded. */
export function describeResult(result: CommandResult, timeoutMs: number): string | null {
  if (result.startError !== null) return `could not be started: ${result.startError}`;
  if (result.timedOut) return `was stopped because it ran longer than ${timeoutMs / 1000} seconds`;
  if (result.signal !== null) return `was killed by ${result.signal}`;
  return result.code === 0 ? null : `exited with code ${result.code}`;
}

/** The same, with the end of what the command printed. */
export function describeWithOutput(result: CommandResult, timeoutMs: number): string | null {
  const fault = describeResult(result, timeoutMs);
  const output = result.output.trim().slice(-SHOWN_CHARACTERS);
  return fault !== null && output ? `${fault}: ${output}` : fault;
}

/** The command enters its group before it starts, so nothing it starts can be outside. */
function commandLine({ file, args, controlGroup, direct }: CommandRequest): [string, string[]] {
  if (direct) return [file, args];
  const enter = controlGroup ? '{ echo $$ > "$0/cgroup.procs"; } 2>/dev/null; ' : '';
  const limit = `ulimit -S -n ${OPEN_FILES} 2>/dev/null; `;
  return ['/bin/sh', ['-c', `${enter}${limit}exec "$@"`, controlGroup ?? 'sh', file, ...args]];
}

function commandEnvironment(extra: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value) env[name] = value;
  }
  return { ...env, ...ofUser(), ...extra };
}

/** What a login sets, but a service manager does not. */
function ofUser(): Record<string, string> {
  try {
    const { username, homedir, shell } = userInfo();
    return { USER: username, LOGNAME: username, HOME: homedir, ...(shell && { SHELL: shell }) };
  } catch {
    // A user without an entry in passwd keeps the agent's own values.
    return {};
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has exited already.
  }
}

/** A background child may keep the pipes open forever: wait a little, then give up. */
async function lastOutput(streams: NodeJS.ReadableStream[]): Promise<void> {
  const ends = streams.map(async (stream) => {
    const readable = stream as NodeJS.ReadableStream & { readableEnded: boolean; destroy(): void };
    if (readable.readableEnded) return;
    const timer = setTimeout(() => readable.destroy(), LAST_OUTPUT_MS);
    await once(readable, 'close').catch(() => undefined);
    clearTimeout(timer);
  });
  await Promise.all(ends);
}
