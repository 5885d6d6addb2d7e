/** Runs the tools of boot loaders. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describeWithOutput, runCommand } from '../process/run-command.ts';
import { BootFailure } from './boot-adapter.ts';

const TIMEOUT_MS = 60_000;
const KILL_GRACE_MS = 5_000;
const OUTPUT_LIMIT = 64 * 1024;
/** Tools of boot loaders often are in the folders for administrators. */
const ADMIN_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export interface ToolOptions {
  env?: Record<string, string>;
  timeoutMs?: number;
}

/**
 * @returns what the tool printed
 * @throws {BootFailure} naming the command, its exit code and the end of its output
 */
export async function runTool(
  file: string,
  args: readonly string[],
  { env = {}, timeoutMs = TIMEOUT_MS }: ToolOptions = {},
): Promise<string> {
  const result = await runCommand({
    file,
    args: [...args],
    cwd: '/',
    env: { PATH: toolPath(), ...env },
    timeoutMs,
    graceMs: KILL_GRACE_MS,
    outputLimit: OUTPUT_LIMIT,
  });
  const fault = describeWithOutput(result, timeoutMs);
  if (fault === null) return result.output;
  throw new BootFailure(`${[file, ...args].join(' ')} ${fault}`);
}

/** @throws {BootFailure} naming the package that brings the tool */
export async function requireTool(file: string, debianPackage: string): Promise<void> {
  for (const folder of toolPath().split(delimiter)) {
    const found = await access(join(folder, file), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return;
  }
  throw new BootFailure(`${file} is not installed (Debian: ${debianPackage})`);
}

/** @throws {BootFailure} when the file is missing, read-only, or on a file system mounted read-only */
export async function requireWritable(path: string, what: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new BootFailure(`${what} ${path} cannot be written: ${(error as Error).message}`);
  }
}

function toolPath(): string {
  const inherited = (process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(delimiter);
  return [...new Set([...inherited, ...ADMIN_PATH])].join(delimiter);
}
