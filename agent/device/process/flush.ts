/** Flushes everything written so far to disk, including writes of other programs. */
import { StepFailure } from '../../kernel/errors.ts';
import { describeResult, runCommand } from './run-command.ts';

const TIME_LIMIT_MS = 5 * 60_000;

/**
 * What `install.sh` wrote may still be in memory. It has to be on disk before the journal records the version
 * as installed.
 * @throws {StepFailure}
 */
export async function flushDisks(): Promise<void> {
  const result = await runCommand({
    file: 'sync',
    direct: true,
    args: [],
    cwd: '/',
    env: {},
    timeoutMs: TIME_LIMIT_MS,
    graceMs: 0,
    outputLimit: 1024,
  });
  const fault = describeResult(result, TIME_LIMIT_MS);
  if (fault) throw new StepFailure(`The disks could not be flushed: sync ${fault}`);
}
