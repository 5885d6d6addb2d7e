/** What a start finds: leftovers of the last run, and perhaps a journal that cannot be read. */
import { mkdir, readdir } from 'node:fs/promises';
import { type AgentParts } from './agent-parts.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { messageOf } from '../../kernel/errors.ts';
import { isCommitted, readSnapshot } from '../steps/snapshot.ts';
import { removeUnused } from './work-end.ts';

/**
 * Tidies up. When the journal was damaged, a complete snapshot that no finished update owns means
 * that an installation may have been under way: the device goes back to it. Restoring what was never
 * changed does nothing.
 * @param damaged where the unreadable journal is now
 */
export async function recover(parts: AgentParts, damaged: string | null): Promise<void> {
  const { config, logger } = parts;
  for (const dir of [workDir(config.state_dir), snapshotDir(config.state_dir)]) {
    // A full disk, or something in the way: the step that needs the folder says so.
    await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) =>
      logger.warn(`a folder is missing: ${messageOf(error)}`),
    );
  }
  if (damaged !== null) {
    logger.error({ file: damaged }, 'the journal cannot be read and was put aside');
    await adoptSnapshots(parts);
  }
  await removeUnused(parts);
}

async function adoptSnapshots(parts: AgentParts): Promise<void> {
  const { config, journal, logger } = parts;
  for (const name of await readdir(snapshotDir(config.state_dir)).catch(() => [] as string[])) {
    const dir = snapshotDir(config.state_dir, name);
    const index = await readSnapshot(dir).catch(() => null);
    if (!index) continue;
    const { deployment_id, attempt, previous_version, target_version } = index.owner;
    if (await isCommitted(dir)) {
      if ((await readCurrentVersion(config)) !== target_version) continue;
      await journal.setKept({
        run_id: name,
        deployment_id,
        version: previous_version,
        replaced_by: target_version,
      });
      continue;
    }
    logger.warn({ deployment: deployment_id, attempt }, 'an update was under way; going back');
    await journal.setActive({
      kind: 'update',
      run_id: name,
      deployment_id,
      attempt,
      step: 'restore',
      target_version,
      previous_version,
      package_url: '',
      checksum: '',
      manifest: null,
      signature: null,
      sequence: null,
      agent: null,
      starts: 0,
      fetched_bytes: 0,
      reason: 'The agent’s journal was unreadable after a restart during the update.',
      health_runs: 0,
      restore_failures: 0,
      end: null,
    });
  }
}
