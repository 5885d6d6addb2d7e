/** Health checks of an update or a rollback, of which only so many may be interrupted. */
import { withRoom } from '../../files/room.ts';
import { snapshotDir } from '../../files/state-folder.ts';
import { AgentStopping } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveWork, Journal } from '../state/journal.ts';
import { requireHealth } from '../steps/health.ts';
import { type SystemCheck, createSystemCheck } from '../steps/system-checks/system-check.ts';
import { readSystemRecord, writeSystemRecord } from '../steps/system-checks/system-record.ts';
import {
  type SystemState,
  newlyFailing,
  readSystemState,
} from '../steps/system-checks/system-state.ts';
import {
  readFailingUnits,
  restartUnits,
  waitUntilStarted,
} from '../steps/system-checks/systemctl.ts';
import { isExhausted } from './interruptions.ts';
import { scriptEnvironment } from './script-environment.ts';

export class HealthRuns {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly stopping: AbortSignal,
  ) {}

  /** Whether the check was interrupted as often as is allowed. */
  areExhausted(work: ActiveWork): boolean {
    return isExhausted(this.config, work, work.health_runs);
  }

  /**
   * Counts the check on disk while it runs, so that an agent that is killed by it each time does not try
   * forever. A requested stop does not count.
   */
  async runCounted(work: ActiveWork, check: () => Promise<void>): Promise<void> {
    const counted = await this.journal.advance(work, { health_runs: work.health_runs + 1 });
    try {
      await check();
    } catch (error) {
      if (error instanceof AgentStopping) {
        await this.journal.advance(counted, { health_runs: work.health_runs });
      }
      throw error;
    }
  }

  /**
   * Notes the state of services and file systems before the update.
   * @param snapshot the snapshot's folder
   */
  async recordSystem(snapshot: string): Promise<void> {
    const { health, snapshot_paths: paths, state_dir: stateDir } = this.config;
    if (!health.system_checks) return;
    const state = await readSystemState(paths);
    await withRoom(stateDir, () => writeSystemRecord(snapshot, state));
  }

  /**
   * Services that fail now and did not before the update. Their files have been restored, but nothing has
   * started them again.
   */
  async restartFailedServices(work: ActiveWork, log: InstallLog): Promise<void> {
    const before = await this.#systemBefore(work);
    if (before === null) return;
    const units = newlyFailing(before.failing_units, await readFailingUnits());
    if (units.length === 0) return;
    log.line(`restarting what failed: ${units.join(', ')}`);
    const fault = await restartUnits(units);
    if (fault !== null) log.line(fault);
  }

  async #systemCheck(work: ActiveWork): Promise<SystemCheck | null> {
    const before = await this.#systemBefore(work);
    if (before === null) return null;
    const { health, snapshot_paths: paths } = this.config;
    if (work.reboot !== null && before.failing_units !== null) {
      await waitUntilStarted((health.deadline_seconds * 1000) / 2, this.stopping);
      this.stopping.throwIfAborted();
    }
    return createSystemCheck({ before, paths, watchSeconds: health.watch_seconds });
  }

  /** `null`: it is not to be checked, or an agent without these checks prepared the update. */
  async #systemBefore({ run_id: runId }: ActiveWork): Promise<SystemState | null> {
    const { health, state_dir: stateDir } = this.config;
    return health.system_checks ? readSystemRecord(snapshotDir(stateDir, runId)) : null;
  }

  /**
   * @throws {StepFailure} unhealthy
   * @throws {AgentStopping}
   */
  async requireHealthy(work: ActiveWork, log: InstallLog): Promise<void> {
    await requireHealth({
      rules: this.config.health,
      system: await this.#systemCheck(work),
      cwd: this.config.root,
      env: scriptEnvironment(this.config.root, work),
      signal: this.stopping,
      onLine: (line) => log.line(line),
    });
  }
}
