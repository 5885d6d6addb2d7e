/** Brings everything written so far to the disk, other programs' writes included. */
import { StepFailure } from '../../kernel/errors.ts';
import { describeResult, runCommand } from './run-command.ts';

const TIME_LIMIT_MS = 5 * 60_000;

/**
 * What `install.sh` wrote sits in memory until the kernel gets round to it. Before the journal says
 * that a version is there for good, it has to be.
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
