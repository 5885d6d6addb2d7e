/** Health checks of an update or a rollback, of which only so many may be interrupted. */
import { AgentStopping } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveWork, Journal } from '../state/journal.ts';
import { requireHealth } from '../steps/health.ts';
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
   * @throws {StepFailure} unhealthy
   * @throws {AgentStopping}
   */
  async requireHealthy(work: ActiveWork, log: InstallLog): Promise<void> {
    await requireHealth({
      rules: this.config.health,
      cwd: this.config.root,
      env: scriptEnvironment(this.config.root, work),
      signal: this.stopping,
      onLine: (line) => log.line(line),
    });
  }
}
