/** A rollback the server asks for after an update had ended. */
import { join } from 'node:path';
import type { RollbackOrder } from '../../../backend/contract/device-api.ts';
import { isSameVersion } from '../../../backend/contract/version.ts';
import { type AgentParts } from './agent-parts.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import { snapshotDir, workDir } from '../../files/state-folder.ts';
import { restore, scriptEnvironment, verifyRestored } from './going-back.ts';
import { requirePermission } from './permission.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { ActiveRollback, EndReport } from '../state/journal.ts';
import { readSnapshot, unmarkCommitted } from '../steps/snapshot.ts';
import { endReportBody, endWork } from './work-end.ts';

/**
 * Begins what was ordered, or tells the server why it cannot be done.
 * @returns the work to carry out, or how it ended at once
 * @throws {NotNow} the server keeps asking, and the next poll finds the device in another mood
 */
export async function acceptRollback(
  parts: AgentParts,
  order: RollbackOrder,
): Promise<{ work: ActiveRollback } | { end: EndReport }> {
  const { config, journal, outbox } = parts;
  const { deployment_id, attempt, version } = order;
  const current = await readCurrentVersion(config);
  const answer = async (end: EndReport): Promise<{ end: EndReport }> => {
    const body = endReportBody(attempt, end);
    await outbox.add({ kind: 'status', deployment_id, body });
    return { end };
  };
  if (current === version) {
    return answer({
      status: 'rolled_back',
      error_message: `The device runs ${version} already.`,
      installed_version: version,
    });
  }
  const obstacle = await obstacleTo(parts, version, current);
  const { kept } = journal.state;
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
    step: 'restore',
    previous_version: kept.version,
    target_version: kept.replaced_by,
    reason: `Rollback to ${version} as asked for by the server.`,
    health_runs: 0,
    restore_failures: 0,
    end: null,
  };
  const env = {
    ...scriptEnvironment(parts, work),
    OTA_TARGET_VERSION: version,
    OTA_PREVIOUS_VERSION: current ?? '',
  };
  await requirePermission(config, env, parts.stopping);
  await journal.setActive(work);
  return { work };
}

async function obstacleTo(
  { config, journal }: AgentParts,
  version: string,
  current: string | null,
): Promise<string | null> {
  const { kept } = journal.state;
  if (!kept) return 'no snapshot of an earlier version is kept on the device';
  if (!isSameVersion(kept.version, version)) {
    return `the snapshot kept on the device is of ${kept.version ?? 'an unknown version'}`;
  }
  if (!isSameVersion(current, kept.replaced_by)) {
    return `the snapshot belongs under ${kept.replaced_by}, but the device runs ${current ?? 'an unknown version'}`;
  }
  const index = await readSnapshot(snapshotDir(config.state_dir, kept.run_id));
  if (!index) return 'the snapshot kept on the device cannot be read';
  const { previous_version, target_version } = index.owner;
  const fits = previous_version === kept.version && target_version === kept.replaced_by;
  return fits ? null : 'the snapshot kept on the device was replaced by one that does not fit';
}

/**
 * Carries the rollback out from wherever the journal says it stands.
 * @throws {AgentStopping} at a safe point
 * @throws {RestoreIncomplete} the next cycle tries again
 */
export async function carryOutRollback(
  parts: AgentParts,
  started: ActiveRollback,
): Promise<EndReport> {
  const dir = workDir(parts.config.state_dir, started.run_id);
  const log = new InstallLog(join(dir, 'install.log'));
  let work = started;
  try {
    if (work.step === 'restore') {
      // Should the journal be damaged from here on, recovery has to finish this and not undo it.
      await unmarkCommitted(snapshotDir(parts.config.state_dir, work.run_id));
      work = await restore(parts, work, log);
    }
    const end = work.end ?? (await verifyRestored(parts, work, log));
    if (work.step !== 'end') work = await parts.journal.advance(work, { step: 'end', end });
    await endWork(parts, work, end, log);
    return end;
  } finally {
    log.close();
  }
}
