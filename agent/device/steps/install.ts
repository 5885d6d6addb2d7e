/** Runs the package's `install.sh`, once. */
import type { AgentConfig } from '../config/agent-config.ts';
import { StepFailure } from '../../kernel/errors.ts';
import { makeControlGroup } from '../process/control-group.ts';
import { RUN_MARKER } from '../process/leftovers.ts';
import { describeResult, runCommand } from '../process/run-command.ts';

export interface InstallRequest {
  /** The unpacked package. */
  folder: string;
  /** See `installationMark`. */
  mark: string;
  env: Record<string, string>;
  limits: AgentConfig['install'];
  onOutput: (chunk: Buffer) => void;
}

/** @throws {StepFailure} when the script did not exit with 0, with the end of its output */
export async function runInstallScript(job: InstallRequest): Promise<void> {
  const timeoutMs = job.limits.timeout_seconds * 1000;
  const result = await runCommand({
    file: 'bash',
    args: ['install.sh'],
    cwd: job.folder,
    env: { ...job.env, [RUN_MARKER]: job.mark },
    timeoutMs,
    graceMs: job.limits.kill_grace_seconds * 1000,
    outputLimit: job.limits.output_limit_bytes,
    controlGroup: await makeControlGroup(job.mark),
    onOutput: job.onOutput,
  });
  const fault = describeResult(result, timeoutMs);
  if (fault !== null) {
    const lastLines = result.output.trimEnd().split('\n').slice(-5).join('\n').slice(-1000);
    throw new StepFailure(
      `install.sh ${fault}.${lastLines ? ` Its last lines:\n${lastLines}` : ''}`,
    );
  }
}
