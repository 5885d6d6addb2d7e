/** What the agent asks of systemd. Where systemd does not run, there is nothing to know. */
import { type CommandResult, describeWithOutput, runCommand } from '../../process/run-command.ts';

const TIMEOUT_MS = 30_000;
const KILL_GRACE_MS = 1_000;
const OUTPUT_LIMIT = 1024 * 1024;

/** Units that have failed, or wait for their next restart; `null`: systemd does not answer. */
export async function readFailingUnits(): Promise<string[] | null> {
  const states = '--state=failed,auto-restart';
  const output = await read(['list-units', states, '--plain', '--no-legend', '--no-pager']);
  return output === null ? null : unitsIn(output);
}

/** How often systemd itself has restarted each service; services it never restarted are left out. */
export async function readRestarts(): Promise<Map<string, number>> {
  const output = await read(['show', '--property=Id,NRestarts', '--', '*.service']);
  return output === null ? new Map() : restartsIn(output);
}

/** Waits until systemd has started everything that belongs to the boot, but no longer than that. */
export async function waitUntilStarted(timeoutMs: number, signal: AbortSignal): Promise<void> {
  await systemctl(['is-system-running', '--wait'], timeoutMs, signal);
}

/**
 * Restarts units whose files have been restored.
 * @returns what went wrong; `null`: nothing
 */
export async function restartUnits(units: string[]): Promise<string | null> {
  for (const args of [['daemon-reload'], ['restart', '--', ...units]]) {
    const fault = describeWithOutput(await systemctl(args), TIMEOUT_MS);
    if (fault !== null) return `systemctl ${args.join(' ')} ${fault}`;
  }
  return null;
}

/** First column of `systemctl list-units`; some versions put a mark before it. Pure. */
export function unitsIn(output: string): string[] {
  return output.split('\n').flatMap((line) => {
    const unit = /^[^\w]*(\S+\.[a-z]+)\s/u.exec(line)?.[1];
    return unit === undefined ? [] : [unit];
  });
}

/** @param output of `systemctl show`: blocks of `Id=…` and `NRestarts=…`. Pure. */
export function restartsIn(output: string): Map<string, number> {
  const counts = output.split('\n\n').map((block) => {
    const unit = /^Id=(.*)$/m.exec(block)?.[1] ?? '';
    return [unit, Number(/^NRestarts=(\d+)$/m.exec(block)?.[1] ?? 0)] as const;
  });
  return new Map(counts.filter(([unit, restarts]) => unit !== '' && restarts > 0));
}

async function read(args: string[]): Promise<string | null> {
  const result = await systemctl(args);
  return describeWithOutput(result, TIMEOUT_MS) === null ? result.output : null;
}

function systemctl(
  args: string[],
  timeoutMs = TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<CommandResult> {
  return runCommand({
    file: 'systemctl',
    args,
    cwd: '/',
    env: { LC_ALL: 'C' },
    timeoutMs,
    graceMs: KILL_GRACE_MS,
    outputLimit: OUTPUT_LIMIT,
    ...(signal && { signal }),
  });
}
