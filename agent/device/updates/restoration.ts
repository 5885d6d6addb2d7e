/**
 * The steps of a rollback, whether an update failed or the server requested it: put the snapshot back,
 * check health, and report what could not be restored.
 */
import { join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import { makeRoom } from '../../files/room.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { AgentStopping, StepFailure, messageOf } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { flushDisks } from '../process/flush.ts';
import { installationMark } from '../process/installation-mark.ts';
import { killLeftovers } from '../process/leftovers.ts';
import { describeResult, runCommand } from '../process/run-command.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { Outbox } from '../reports/outbox.ts';
import { readVersionOf, recordRestored } from '../state/components.ts';
import { type ActiveWork, type EndReport, type Journal, namedComponent } from '../state/journal.ts';
import { describeIrreversible } from '../steps/irreversible.ts';
import { describeNotRestored, restoreSnapshot } from '../steps/restore.ts';
import { readSnapshot } from '../steps/snapshot.ts';
import { endReportBody } from './end-report.ts';
import type { HealthRuns } from './health-runs.ts';
import type { Reboot } from './reboot.ts';
import { scriptEnvironment } from './script-environment.ts';

/** The snapshot could not be restored this time; the next cycle tries again. */
export class RestoreFailed extends Error {
  override readonly name = 'RestoreFailed';
}

export class Restoration {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly outbox: Outbox,
    private readonly healthRuns: HealthRuns,
    private readonly rebooting: Reboot,
  ) {}

  /**
   * The step `restore`. Resolves when the device has its old files and version again.
   * @throws {RestoreFailed} after reporting the first failure to the server
   * @throws {AgentStopping} the next start restores again
   */
  async restore<T extends ActiveWork>(work: T, log: InstallLog): Promise<T> {
    const { state_dir: stateDir } = this.config;
    const dir = snapshotDir(stateDir, work.run_id);
    log.line(`restoring ${work.previous_version ?? 'the previous version'}: ${work.reason ?? ''}`);
    let reboot: Partial<ActiveWork> | null;
    try {
      const killed = await killLeftovers(installationMark(stateDir, work.run_id));
      if (killed > 0)
        log.line(`${killed} processes of the installation were still running; killed`);
      // The unpacked package is not needed any more, and the restored files may need its room.
      await removeTree(join(workDir(stateDir, work.run_id), 'package'));
      await this.rebooting.noteRunningSystem(work);
      const index = await readSnapshot(dir);
      if (!index) throw new StepFailure('the snapshot is missing or unreadable');
      await restoreSnapshot(dir, index).catch(async (error: unknown) => {
        if (!(await makeRoom(stateDir))) throw error;
        log.line(`disk space was freed, restoring again: ${messageOf(error)}`);
        await restoreSnapshot(dir, index);
      });
      reboot = await this.rebooting.revert(work);
      await flushDisks();
      await recordRestored(this.config, work.component, work.previous_version);
    } catch (error) {
      if (error instanceof AgentStopping) throw error;
      const why = messageOf(error);
      log.line(`restore failed: ${why}`);
      if (work.restore_failures === 0) {
        const error_message = `${work.reason ?? ''} The rollback failed, the device may be between two versions; the agent keeps trying: ${why}`;
        const end: EndReport = {
          status: 'failed',
          error_message,
          installed_version: null,
          ...causeAndComponent(work),
        };
        const body = endReportBody(work.attempt, end);
        await this.outbox.add({ kind: 'status', deployment_id: work.deployment_id, body });
      }
      const restore_failures = work.restore_failures + 1;
      await this.journal.advance(work, { restore_failures } as Partial<T>);
      throw new RestoreFailed(why);
    }
    await this.#runAfterRestore(work, log);
    if (reboot === null) await this.healthRuns.restartFailedServices(work, log);
    const change = reboot ?? { step: 'verify_restored', health_runs: 0 };
    return this.journal.advance(work, change as Partial<T>);
  }

  /**
   * The step `reboot_restored`. Resolves when the device has rebooted, or will not.
   * @param announce called right before the device goes down
   * @throws {AgentStopping} the device goes down
   */
  async reboot<T extends ActiveWork>(
    work: T,
    log: InstallLog,
    announce: () => Promise<void>,
  ): Promise<T> {
    const obstacle = await this.rebooting.rebootIntoOld(work, log, announce);
    const change: Partial<ActiveWork> = { step: 'verify_restored', health_runs: 0 };
    if (obstacle !== null) {
      log.line(`the device still runs the new system: ${obstacle}`);
      change.reason = `${work.reason ?? ''} The device still runs the new system. ${obstacle}`;
    }
    return this.journal.advance(work, change as Partial<T>);
  }

  /** The step `verify_restored`. Resolves with the report of the rollback. */
  async verify(work: ActiveWork, log: InstallLog): Promise<EndReport> {
    const reason = work.reason ?? 'Rolled back.';
    const snapshot = snapshotDir(this.config.state_dir, work.run_id);
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
      ...causeAndComponent(work),
    });
    if (this.healthRuns.areExhausted(work)) {
      return end(
        `${reason} The old version is restored, but its health check was interrupted each time.`,
      );
    }
    try {
      await this.healthRuns.runCounted(work, () => this.healthRuns.requireHealthy(work, log));
      log.line('restored and healthy');
      return end(reason);
    } catch (error) {
      if (error instanceof AgentStopping) throw error;
      log.line(`restored, but not healthy: ${messageOf(error)}`);
      return end(
        `${reason} The old version is restored, but it is not healthy: ${messageOf(error)}`,
      );
    }
  }

  async #runAfterRestore(work: ActiveWork, log: InstallLog): Promise<void> {
    const { root, install, rollback } = this.config;
    const { after_restore_command: hook } = rollback;
    if (!hook) return;
    const timeoutMs = hook.timeout_seconds * 1000;
    const result = await runCommand({
      file: 'bash',
      args: ['-c', hook.command],
      cwd: root,
      env: {
        ...scriptEnvironment(root, work),
        OTA_RESTORED_VERSION: (await readVersionOf(this.config, work.component)) ?? '',
      },
      timeoutMs,
      graceMs: install.kill_grace_seconds * 1000,
      outputLimit: install.output_limit_bytes,
      onOutput: (chunk) => log.write(chunk),
    });
    // Only logged: the health check that follows decides whether the device works.
    const fault = describeResult(result, timeoutMs);
    if (fault) log.line(`rollback.after_restore_command ${fault}`);
  }
}

function causeAndComponent({
  failure_cause: cause,
  component,
}: ActiveWork): Pick<EndReport, 'failure_cause' | 'component'> {
  return { ...(cause !== null && { failure_cause: cause }), ...namedComponent(component) };
}
