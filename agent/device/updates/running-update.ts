/** One attempt at an update under way: where it stands, and what all its steps need. */
import { join } from 'node:path';
import { type AgentParts } from './agent-parts.ts';
import { packageFileOf, snapshotDir, workDir } from '../../files/state-folder.ts';
import { AttemptReports } from '../reports/attempt-reports.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, EndReport } from '../state/journal.ts';

export class RunningUpdate {
  readonly parts: AgentParts;
  readonly log: InstallLog;
  readonly reports: AttemptReports;
  #work: ActiveUpdate;

  constructor(parts: AgentParts, work: ActiveUpdate, log: InstallLog) {
    this.parts = parts;
    this.log = log;
    this.reports = new AttemptReports(parts, work);
    this.#work = work;
  }

  /** As the journal has it. */
  get work(): ActiveUpdate {
    return this.#work;
  }

  get packageFile(): string {
    return packageFileOf(this.parts.config.state_dir, this.#work.run_id);
  }

  get unpackedDir(): string {
    return join(workDir(this.parts.config.state_dir, this.#work.run_id), 'package');
  }

  get snapshotDir(): string {
    return snapshotDir(this.parts.config.state_dir, this.#work.run_id);
  }

  /** Durable when it resolves. */
  async advance(change: Partial<ActiveUpdate>): Promise<void> {
    this.become(await this.parts.journal.advance(this.#work, change));
    const { deployment_id: deployment, attempt, step } = this.#work;
    if (change.step) this.parts.logger.info({ deployment, attempt, step }, `step ${step}`);
  }

  /** Takes over what somebody else wrote down about this attempt. */
  become(work: ActiveUpdate): void {
    this.#work = work;
  }

  async decideEnd(end: EndReport): Promise<void> {
    await this.advance({ step: 'end', end });
  }
}
