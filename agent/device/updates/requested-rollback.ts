/** A rollback the server requests after an update has finished. */
import { join } from 'node:path';
import type { RollbackOrder } from '../../../backend/contract/device-api.ts';
import { isSameVersion } from '../../../backend/contract/version.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { Outbox } from '../reports/outbox.ts';
import { readVersionOf } from '../state/components.ts';
import {
  type ActiveRollback,
  type EndReport,
  type Journal,
  namedComponent,
} from '../state/journal.ts';
import type { RollbackStep } from '../state/step-table.ts';
import { readSnapshot, unmarkCommitted } from '../steps/snapshot.ts';
import { endReportBody } from './end-report.ts';
import type { Finish } from './finish.ts';
import { requirePermission } from './permission.ts';
import type { Restoration } from './restoration.ts';
import { scriptEnvironment } from './script-environment.ts';

type Handler = (work: ActiveRollback, log: InstallLog) => Promise<ActiveRollback>;

export class RequestedRollback {
  /** Each advances the rollback to the next step in the table, or throws. */
  readonly #handlers: Record<Exclude<RollbackStep, 'end'>, Handler> = {
    restore: async (work, log) => {
      // Should the journal be damaged from here on, recovery has to finish the rollback, not undo it.
      await unmarkCommitted(snapshotDir(this.config.state_dir, work.run_id));
      return this.restoration.restore(work, log);
    },
    // The target has finished: there is no status to report.
    reboot_restored: (work, log) => this.restoration.reboot(work, log, () => Promise.resolve()),
    verify_restored: async (work, log) => {
      const end = await this.restoration.verify(work, log);
      return this.journal.advance(work, { step: 'end', end });
    },
  };

  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly outbox: Outbox,
    private readonly restoration: Restoration,
    private readonly finish: Finish,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * Starts the rollback, or reports why it is not possible.
   * @returns the work to carry out, or how it ended at once
   * @throws {Deferred} the server repeats the request with every poll
   */
  async accept(order: RollbackOrder): Promise<{ work: ActiveRollback } | { end: EndReport }> {
    const { config } = this;
    const { deployment_id, attempt, version } = order;
    const component = this.#componentOf(deployment_id);
    const current = await readVersionOf(config, component);
    const answer = async (ended: EndReport): Promise<{ end: EndReport }> => {
      const end = { ...ended, ...namedComponent(component) };
      const body = endReportBody(attempt, end);
      await this.outbox.add({ kind: 'status', deployment_id, body });
      return { end };
    };
    if (current === version) {
      return answer({
        status: 'rolled_back',
        error_message: `The device already runs ${version}.`,
        installed_version: version,
      });
    }
    const obstacle = await this.#obstacleTo(order, current);
    const { kept } = this.journal.state;
    if (obstacle !== null || !kept) {
      return answer({
        status: 'failed',
        error_message: `The rollback to ${version} is not possible: ${obstacle ?? 'no snapshot'}. The device was not changed.`,
        installed_version: current,
      });
    }
    const work: ActiveRollback = {
      kind: 'rollback',
      run_id: kept.run_id,
      deployment_id,
      attempt,
      component,
      step: 'restore',
      previous_version: kept.version,
      target_version: kept.replaced_by,
      reason: `Rollback to ${version} as requested by the server.`,
      failure_cause: null,
      health_runs: 0,
      restore_failures: 0,
      reboot: null,
      end: null,
    };
    const env = {
      ...scriptEnvironment(config.root, work),
      OTA_TARGET_VERSION: version,
      OTA_PREVIOUS_VERSION: current ?? '',
    };
    await requirePermission(config, env, this.stopping);
    await this.journal.setActive(work);
    return { work };
  }

  /** The component that the deployment updated; `null`: the main product, or the deployment is forgotten. */
  #componentOf(deploymentId: string): string | null {
    const { kept, finished } = this.journal.state;
    if (kept?.deployment_id === deploymentId) return kept.component ?? null;
    const ends = finished.filter((one) => one.deployment_id === deploymentId);
    return ends.at(-1)?.end.component ?? null;
  }

  async #obstacleTo(
    { deployment_id, version }: RollbackOrder,
    current: string | null,
  ): Promise<string | null> {
    const { kept } = this.journal.state;
    if (!kept) return 'no snapshot of an earlier version is kept on the device';
    if (!isSameVersion(kept.version, version)) {
      return `the snapshot kept on the device is of ${kept.version ?? 'an unknown version'}`;
    }
    if (!isSameVersion(current, kept.replaced_by)) {
      return `the snapshot was replaced by ${kept.replaced_by}, but the device runs ${current ?? 'an unknown version'}`;
    }
    if (kept.deployment_id !== deployment_id) {
      return `${kept.component ?? 'the device'} was updated to ${kept.replaced_by} since then, and the snapshot kept on the device is from before that update`;
    }
    const index = await readSnapshot(snapshotDir(this.config.state_dir, kept.run_id));
    if (!index) return 'the snapshot kept on the device cannot be read';
    const { previous_version, target_version } = index.owner;
    const fits = previous_version === kept.version && target_version === kept.replaced_by;
    return fits ? null : 'the snapshot kept on the device belongs to another update';
  }

  /**
   * Carries the rollback out from the step that the journal has.
   * @throws {AgentStopping} at a safe point
   * @throws {RestoreFailed} the next cycle tries again
   */
  async carryOut(started: ActiveRollback): Promise<EndReport> {
    const { state_dir: stateDir } = this.config;
    const log = new InstallLog(join(workDir(stateDir, started.run_id), 'install.log'));
    let work = started;
    try {
      for (let { step } = work; step !== 'end'; { step } = work) {
        work = await this.#handlers[step](work, log);
      }
      if (!work.end) throw new Error('the journal has no report of the rollback');
      await this.finish.report(work, work.end, log);
      return work.end;
    } finally {
      log.close();
    }
  }
}
