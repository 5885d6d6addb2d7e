/** One attempt at an update: its current state in the journal, its folders, log and reports. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { packageFileOf, snapshotDir, workDir } from '../../files/state-folder.ts';
import type { AttemptReports } from '../reports/attempt-reports.ts';
import type { InstallLog } from '../reports/install-log.ts';
import {
  type ActiveUpdate,
  type EndReport,
  type Journal,
  namedComponent,
} from '../state/journal.ts';

export class UpdateInProgress {
  #work: ActiveUpdate;

  constructor(
    private readonly stateDir: string,
    private readonly journal: Journal,
    private readonly logger: Logger,
    readonly log: InstallLog,
    readonly reports: AttemptReports,
    work: ActiveUpdate,
  ) {
    this.#work = work;
  }

  /** As the journal has it. */
  get work(): ActiveUpdate {
    return this.#work;
  }

  get packageFile(): string {
    return packageFileOf(this.stateDir, this.#work.run_id);
  }

  get unpackedDir(): string {
    return join(workDir(this.stateDir, this.#work.run_id), 'package');
  }

  get snapshotDir(): string {
    return snapshotDir(this.stateDir, this.#work.run_id);
  }

  /** Durable when it resolves. */
  async advance(change: Partial<ActiveUpdate>): Promise<void> {
    this.replaceWork(await this.journal.advance(this.#work, change));
    const { deployment_id: deployment, attempt, step } = this.#work;
    if (change.step) this.logger.info({ deployment, attempt, step }, `step ${step}`);
  }

  /** For a change that is in the journal already, or that the journal cannot take. */
  replaceWork(work: ActiveUpdate): void {
    this.#work = work;
  }

  /** Advances to the step `end`: this is what will be reported. */
  async decideEnd(end: EndReport): Promise<void> {
    const component = namedComponent(this.#work.component);
    await this.advance({ step: 'end', end: { ...end, ...component } });
  }
}
