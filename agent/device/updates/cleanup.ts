/** Removes what finished and abandoned attempts leave in the state folder. */
import { readdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { removeTree } from '../../files/remove-tree.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { removeEmptyControlGroups } from '../process/control-group.ts';
import type { Journal } from '../state/journal.ts';
import { removeSnapshot } from '../steps/snapshot.ts';

export class Cleanup {
  /** What could not be removed the last time; logged once. */
  #logged: ReadonlySet<string> = new Set();

  constructor(
    private readonly stateDir: string,
    private readonly journal: Journal,
    private readonly logger: Logger,
  ) {}

  /**
   * Removes every work folder, snapshot and control group that is not needed any more, as far as possible;
   * never rejects. What cannot be removed must not keep the agent from polling and reporting.
   */
  async removeUnused(): Promise<void> {
    const { stateDir } = this;
    await removeEmptyControlGroups(stateDir);
    const { active, kept } = this.journal.state;
    const faults: string[] = [];
    for (const name of await namesIn(workDir(stateDir))) {
      if (name === active?.run_id) continue;
      faults.push(...(await removeTree(workDir(stateDir, name))));
    }
    for (const name of await namesIn(snapshotDir(stateDir))) {
      if (name === active?.run_id || name === kept?.run_id) continue;
      faults.push(...(await removeSnapshot(snapshotDir(stateDir, name))));
    }
    for (const fault of faults.filter((one) => !this.#logged.has(one))) {
      this.logger.warn(`cannot be removed, and is tried again: ${fault}`);
    }
    this.#logged = new Set(faults);
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}
