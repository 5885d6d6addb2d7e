/** The command that reboots the device. */
import { describeWithOutput, runCommand } from '../process/run-command.ts';
import { type BootAdapter, BootFailure } from './boot-adapter.ts';

const TIMEOUT_MS = 10_000;
const KILL_GRACE_MS = 1_000;
const OUTPUT_LIMIT = 4096;

/** Unless the configuration or the boot adapter has another one. */
export const DEFAULT_COMMAND = 'systemctl reboot';

/**
 * The command that reboots into the new system.
 * @param configured `reboot.command`
 */
export function rebootCommandOf(configured: string | undefined, adapter: BootAdapter): string {
  return configured ?? adapter.rebootCommand ?? DEFAULT_COMMAND;
}

/**
 * Requires a boot loader that can be used and, on a device with an adapter or a command of its own, a reboot command
 * that exists. Any other device may never reboot.
 * @param configured `reboot.command`
 * @throws {BootFailure}
 */
export async function requireAsConfigured(
  configured: string | undefined,
  adapter: BootAdapter,
): Promise<void> {
  await adapter.check();
  if (adapter.name === 'none' && configured === undefined) return;
  await requireRebootCommand(rebootCommandOf(configured, adapter));
}

/**
 * Whether the shell understands the command and finds its program. Of a command that begins with anything but a
 * program, only the shell knows what it does.
 * @throws {BootFailure}
 */
export async function requireRebootCommand(command: string): Promise<void> {
  const program = /^[\w./-]+(?=\s|$)/.exec(command)?.[0];
  await requireSuccess(['-n', '-c', command], `The reboot command is not valid: ${command}`);
  if (program === undefined) return;
  const lookUp = ['-c', 'command -v -- "$0"', program];
  await requireSuccess(lookUp, `The program of the reboot command is not installed: ${command}`);
}

async function requireSuccess(args: string[], what: string): Promise<void> {
  const result = await runCommand({
    file: 'bash',
    args,
    cwd: '/',
    env: {},
    timeoutMs: TIMEOUT_MS,
    graceMs: KILL_GRACE_MS,
    outputLimit: OUTPUT_LIMIT,
  });
  if (describeWithOutput(result, TIMEOUT_MS) !== null) throw new BootFailure(what);
}
