/** What a start does first: tidies up after the last run, and recovers from a journal that cannot be read. */
import { mkdir, readdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { readVersionOf } from '../state/components.ts';
import { type Journal, UNSTARTED_UPDATE, namedComponent } from '../state/journal.ts';
import { isCommitted, readSnapshot } from '../steps/snapshot.ts';
import type { Cleanup } from './cleanup.ts';

export class Recovery {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly cleanup: Cleanup,
    private readonly logger: Logger,
  ) {}

  /** @param damaged where the unreadable journal is now; `null`: it was readable */
  async recover(damaged: string | null): Promise<void> {
    const { state_dir: stateDir } = this.config;
    for (const dir of [workDir(stateDir), snapshotDir(stateDir)]) {
      // On a full disk, or with something in the way, the step that needs the folder reports it.
      await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) =>
        this.logger.warn(`a folder is missing: ${messageOf(error)}`),
      );
    }
    if (damaged !== null) {
      this.logger.error({ file: damaged }, 'the journal cannot be read and was moved away');
      await this.#rebuildFromSnapshots();
    }
    await this.cleanup.removeUnused();
  }

  /**
   * A complete snapshot of an update that was not committed means that an installation may have been in
   * progress: it is restored. Restoring what was never changed does nothing.
   */
  async #rebuildFromSnapshots(): Promise<void> {
    const { config, journal } = this;
    for (const name of await readdir(snapshotDir(config.state_dir)).catch(() => [] as string[])) {
      const dir = snapshotDir(config.state_dir, name);
      const index = await readSnapshot(dir).catch(() => null);
      if (!index) continue;
      const { deployment_id, attempt, previous_version, target_version } = index.owner;
      const component = index.owner.component ?? null;
      if (await isCommitted(dir)) {
        if ((await readVersionOf(config, component)) !== target_version) continue;
        await journal.setKept({
          run_id: name,
          deployment_id,
          ...namedComponent(component),
          version: previous_version,
          replaced_by: target_version,
        });
        continue;
      }
      this.logger.warn(
        { deployment: deployment_id, attempt },
        'an update was in progress; rolling back',
      );
      await journal.setActive({
        ...UNSTARTED_UPDATE,
        run_id: name,
        deployment_id,
        attempt,
        component,
        step: 'restore',
        failure_cause: 'other',
        target_version,
        previous_version,
        package_url: '',
        checksum: '',
        manifest: null,
        signature: null,
        reason: 'The agent’s journal was unreadable after a restart during the update.',
      });
    }
  }
}
