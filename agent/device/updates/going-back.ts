/**
 * Back to the version before: by itself after a failed update, or because the server asked. Both
 * restore the snapshot, check health and say honestly how it went.
 */
import { type AgentParts } from './agent-parts.ts';
import { readCurrentVersion, writeCurrentVersion } from '../state/current-version.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { join } from 'node:path';
import { AgentStopping, StepFailure, messageOf } from '../../kernel/errors.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { makeRoom } from '../../files/room.ts';
import { flushDisks } from '../process/flush.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveWork, EndReport } from '../state/journal.ts';
import { installationMark } from '../process/installation-mark.ts';
import { endLeftovers } from '../process/leftovers.ts';
import { describeResult, runCommand } from '../process/run-command.ts';
import { requireHealth } from '../steps/health.ts';
import { describeIrreversible } from '../steps/irreversible.ts';
import { describeNotRestored, restoreSnapshot } from '../steps/restore.ts';
import { readSnapshot } from '../steps/snapshot.ts';

/** The snapshot could not be put back this time; the work stays open and is tried again. */
export class RestoreIncomplete extends Error {
  override readonly name = 'RestoreIncomplete';
}

/**
 * The step `restore`. Resolves when the device has its old files and version again.
 * @throws {RestoreIncomplete} after telling the server the first time
 */
export async function restore<T extends ActiveWork>(
  parts: AgentParts,
  work: T,
  log: InstallLog,
): Promise<T> {
  const { config, journal, outbox } = parts;
  const dir = snapshotDir(config.state_dir, work.run_id);
  log.line(`restoring ${work.previous_version ?? 'the version before'}: ${work.reason ?? ''}`);
  try {
    const killed = await endLeftovers(installationMark(config.state_dir, work.run_id));
    if (killed > 0) log.line(`${killed} processes of the installation were still running; ended`);
    // Nobody needs the unpacked package any more, and what is put back may need the room.
    await removeTree(join(workDir(config.state_dir, work.run_id), 'package'));
    const index = await readSnapshot(dir);
    if (!index) throw new StepFailure('the snapshot is missing or unreadable');
    await restoreSnapshot(dir, index).catch(async (error: unknown) => {
      if (!(await makeRoom(config.state_dir))) throw error;
      log.line(`room was made, restoring again: ${messageOf(error)}`);
      await restoreSnapshot(dir, index);
    });
    await flushDisks();
    await writeCurrentVersion(config, work.previous_version);
  } catch (error) {
    const why = messageOf(error);
    log.line(`restore failed: ${why}`);
    if (work.restore_failures === 0) {
      const error_message = `${work.reason ?? ''} Going back failed, the device may be between two versions; the agent keeps trying: ${why}`;
      const body = { status: 'failed' as const, attempt: work.attempt, error_message };
      await outbox.add({ kind: 'status', deployment_id: work.deployment_id, body });
    }
    await journal.advance(work, { restore_failures: work.restore_failures + 1 } as Partial<T>);
    throw new RestoreIncomplete(why);
  }
  await runAfterRestore(parts, work, log);
  return journal.advance(work, { step: 'verify_restored', health_runs: 0 } as Partial<T>);
}

/** The step `verify_restored`: how the rollback is to be reported. */
export async function verifyRestored(
  parts: AgentParts,
  work: ActiveWork,
  log: InstallLog,
): Promise<EndReport> {
  const reason = work.reason ?? 'Rolled back.';
  const snapshot = snapshotDir(parts.config.state_dir, work.run_id);
  const index = await readSnapshot(snapshot);
  const losses = [
    await describeIrreversible(snapshot),
    index ? await describeNotRestored(index) : '',
  ].filter(Boolean);
  for (const line of losses) log.line(line);
  const lost = losses.join(' ');
  const end = (error_message: string): EndReport => ({
    status: 'rolled_back',
    error_message: lost ? `${error_message} ${lost}` : error_message,
    installed_version: work.previous_version,
  });
  if (work.health_runs >= parts.config.health.max_interrupted_runs) {
    return end(`${reason} The old version is back, but its health check was cut off each time.`);
  }
  try {
    await countedHealthRun(parts, work, () => requireHealthy(parts, work, log));
    log.line('restored and healthy');
    return end(reason);
  } catch (error) {
    if (error instanceof AgentStopping) throw error;
    log.line(`restored, but not healthy: ${messageOf(error)}`);
    return end(`${reason} The old version is back, but it is not healthy: ${messageOf(error)}`);
  }
}

/**
 * A check that is counted on disk while it runs: being killed in the middle again and again must come
 * to an end. A stop that was asked for does not count.
 */
export async function countedHealthRun(
  { journal }: AgentParts,
  work: ActiveWork,
  check: () => Promise<void>,
): Promise<void> {
  const counted = await journal.advance(work, { health_runs: work.health_runs + 1 });
  try {
    await check();
  } catch (error) {
    if (error instanceof AgentStopping) {
      await journal.advance(counted, { health_runs: work.health_runs });
    }
    throw error;
  }
}

/**
 * @throws {StepFailure} unhealthy
 * @throws {AgentStopping}
 */
export async function requireHealthy(
  parts: AgentParts,
  work: ActiveWork,
  log: InstallLog,
): Promise<void> {
  const { config, stopping } = parts;
  await requireHealth({
    rules: config.health,
    cwd: config.root,
    env: scriptEnvironment(parts, work),
    signal: stopping,
    onLine: (line) => log.line(line),
  });
}

/** What scripts and health checks are told about the update. */
export function scriptEnvironment(
  { config }: AgentParts,
  work: ActiveWork,
): Record<string, string> {
  return {
    OTA_ROOT: config.root,
    OTA_TARGET_VERSION: work.target_version,
    OTA_PREVIOUS_VERSION: work.previous_version ?? '',
    OTA_DEPLOYMENT_ID: work.deployment_id,
  };
}

async function runAfterRestore(
  parts: AgentParts,
  work: ActiveWork,
  log: InstallLog,
): Promise<void> {
  const hook = parts.config.rollback.after_restore_command;
  if (!hook) return;
  const timeoutMs = hook.timeout_seconds * 1000;
  const result = await runCommand({
    file: 'bash',
    args: ['-c', hook.command],
    cwd: parts.config.root,
    env: {
      ...scriptEnvironment(parts, work),
      OTA_RESTORED_VERSION: (await readCurrentVersion(parts.config)) ?? '',
    },
    timeoutMs,
    graceMs: parts.config.install.kill_grace_seconds * 1000,
    outputLimit: parts.config.install.output_limit_bytes,
    onOutput: (chunk) => log.write(chunk),
  });
  // Whether the device works is for the health check that follows.
  const fault = describeResult(result, timeoutMs);
  if (fault) log.line(`rollback.after_restore_command ${fault}`);
}
