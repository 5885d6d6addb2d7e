/**
 * Carries an update through the steps of the step table, from the one that the journal has. Each step is in
 * the journal before it acts.
 */
import { join } from 'node:path';
import { workDir } from '../../files/state-folder.ts';
import { AttemptCancelled } from '../../kernel/errors.ts';
import type { Logger } from 'pino';
import { readBootId } from '../../files/boot-id.ts';
import { AttemptReports, type ReportChannel } from '../reports/attempt-reports.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, EndReport, Journal } from '../state/journal.ts';
import { UPDATE_STEPS, type UpdateStep } from '../state/step-table.ts';
import type { Finish } from './finish.ts';
import type { Installation } from './installation.ts';
import type { Preparation } from './preparation.ts';
import { REBOOTING, REBOOT_VARIABLE } from './reboot.ts';
import type { Restoration } from './restoration.ts';
import { UpdateInProgress } from './update-in-progress.ts';

type Handler = (update: UpdateInProgress) => Promise<void>;

export class UpdateDriver {
  /** Each advances the update to one of the next steps in the table, or throws. */
  readonly #handlers: Record<Exclude<UpdateStep, 'end'>, Handler> = {
    download: (update) => this.preparation.prepare(update),
    extract: (update) => this.preparation.prepare(update),
    snapshot: (update) => this.preparation.prepare(update),
    install: (update) => this.installation.install(update),
    reboot: (update) => this.installation.reboot(update),
    verify: (update) => this.installation.verify(update),
    trial: (update) => this.installation.tryNewAgent(update),
    commit: (update) => this.installation.commit(update),
    restore: async (update) =>
      update.replaceWork(await this.restoration.restore(update.work, update.log)),
    reboot_restored: async (update) => {
      const announce = (): Promise<void> => update.reports.sendBeforeReboot(REBOOTING);
      update.replaceWork(await this.restoration.reboot(update.work, update.log, announce));
    },
    verify_restored: async (update) =>
      update.decideEnd(await this.restoration.verify(update.work, update.log)),
  };

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
    const { afterPowerCut } = UPDATE_STEPS[update.work.step];
    if (afterPowerCut.action === 'roll_back') {
      const hint = await this.#rebootHint(update);
      await this.installation.rollBack(update, `${afterPowerCut.reason}${hint}`);
    }
    for (let step = update.work.step; step !== 'end'; step = update.work.step) {
      await this.#handlers[step](update);
      if (update.work.step === step) throw new Error(`the step ${step} led nowhere`);
    }
    return update.work.end;
  }

  /** `install.sh` may have rebooted the device by itself, which is an interruption like any other. */
  async #rebootHint({ work }: UpdateInProgress): Promise<string> {
    const rebooted = work.boot_id !== null && work.boot_id !== (await readBootId());
    return rebooted
      ? ` If install.sh rebooted the device: it has to create the file named by ${REBOOT_VARIABLE} instead.`
      : '';
  }
}
