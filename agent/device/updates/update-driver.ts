/**
 * Carries an update through its steps, from the step that the journal has. Each step is in the journal
 * before it acts; docs/agent.md has the table of steps.
 */
import { join } from 'node:path';
import { workDir } from '../../files/state-folder.ts';
import { AttemptCancelled } from '../../kernel/errors.ts';
import type { Logger } from 'pino';
import { AttemptReports, type ReportChannel } from '../reports/attempt-reports.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, EndReport, Journal, UpdateStep } from '../state/journal.ts';
import type { Finish } from './finish.ts';
import type { Installation } from './installation.ts';
import type { Preparation } from './preparation.ts';
import type { Restoration } from './restoration.ts';
import { UpdateInProgress } from './update-in-progress.ts';

/** Steps in which the device is still untouched. */
const UNTOUCHED: ReadonlySet<UpdateStep> = new Set(['download', 'extract', 'snapshot']);

export class UpdateDriver {
  constructor(
    private readonly stateDir: string,
    private readonly journal: Journal,
    private readonly channel: ReportChannel,
    private readonly preparation: Preparation,
    private readonly installation: Installation,
    private readonly restoration: Restoration,
    private readonly finish: Finish,
    private readonly logger: Logger,
  ) {}

  /**
   * @returns how the attempt ended; `null` when the server cancelled it and expects no report
   * @throws {AgentStopping} at a safe point; the next start continues
   * @throws {Deferred} the next cycle continues
   * @throws {RestoreFailed} the next cycle tries again
   */
  async carryOut(work: ActiveUpdate): Promise<EndReport | null> {
    const log = new InstallLog(join(workDir(this.stateDir, work.run_id), 'install.log'));
    const reports = new AttemptReports(this.channel, work);
    const { stateDir, journal, logger } = this;
    const update = new UpdateInProgress(stateDir, journal, logger, log, reports, work);
    try {
      const end = await this.#runSteps(update);
      if (end) await this.finish.report(update.work, end, log);
      return end;
    } catch (error) {
      if (!(error instanceof AttemptCancelled)) throw error;
      await this.finish.drop(work);
      return null;
    } finally {
      log.close();
    }
  }

  async #runSteps(update: UpdateInProgress): Promise<EndReport | null> {
    const { installation, restoration } = this;
    const isAt = (step: UpdateStep): boolean => update.work.step === step;
    if (isAt('install')) {
      await installation.rollBack(
        update,
        'The device or the agent stopped while install.sh was running.',
      );
    }
    if (UNTOUCHED.has(update.work.step)) await this.preparation.prepare(update);
    if (isAt('install')) await installation.install(update);
    if (isAt('verify')) await installation.verify(update);
    if (isAt('trial')) await installation.tryNewAgent(update);
    if (isAt('commit')) await installation.commit(update);
    if (isAt('restore')) update.replaceWork(await restoration.restore(update.work, update.log));
    if (isAt('verify_restored')) {
      await update.decideEnd(await restoration.verify(update.work, update.log));
    }
    return update.work.end;
  }
}
