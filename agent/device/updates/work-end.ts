/** The end of an update or a rollback: its report, its log, and nothing left lying about. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_INSTALL_LOG_BYTES, type StatusReport } from '../../../backend/contract/device-api.ts';
import { type AgentParts } from './agent-parts.ts';
import { packageFileOf, snapshotDir, workDir } from '../../files/state-folder.ts';
import { removeEmptyControlGroups } from '../process/control-group.ts';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { isDiskFull } from '../../files/reserve.ts';
import { withRoom } from '../../files/room.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveWork, EndReport } from '../state/journal.ts';
import { splitUtf8, wellFormed } from '../process/limited-output.ts';
import { dropKept, keepDownload } from '../steps/kept-download.ts';
import { removeSnapshot } from '../steps/snapshot.ts';
import { messageOf } from '../../kernel/errors.ts';

const CHUNK_BYTES = 64 * 1024;
const MAX_MESSAGE_CHARACTERS = 4000;

/** The report about an attempt's end as it goes over the wire. */
export function endReportBody(attempt: number, end: EndReport): StatusReport {
  return {
    status: end.status,
    attempt,
    ...(end.error_message === null
      ? {}
      : { error_message: wellFormed(end.error_message.slice(0, MAX_MESSAGE_CHARACTERS)) }),
    ...(end.installed_version === null ? {} : { installed_version: end.installed_version }),
  };
}

/**
 * Hands report and log to the outbox, then forgets the work. May be repeated after a power cut:
 * the log is frozen first, so a second upload has the same offsets and the server drops it.
 */
export async function endWork(
  parts: AgentParts,
  work: ActiveWork,
  end: EndReport,
  log: InstallLog,
): Promise<void> {
  const { journal, outbox } = parts;
  const { deployment_id, attempt } = work;
  const sentBefore =
    work.kind === 'rollback' ? (journal.findFinished(deployment_id, attempt)?.log_bytes ?? 0) : 0;
  const text = await frozenLog(parts, work, log, MAX_INSTALL_LOG_BYTES - sentBefore);
  await outbox.add({ kind: 'status', deployment_id, body: endReportBody(attempt, end) });
  // A skipped attempt may be offered again; its log would stand in the way of that one's.
  const log_bytes = end.status === 'skipped' ? 0 : Buffer.byteLength(text);
  for (const { offset, chunk } of log_bytes > 0 ? splitUtf8(text, CHUNK_BYTES) : []) {
    const body = { attempt, chunk, offset: sentBefore + offset };
    try {
      await outbox.add({ kind: 'log', deployment_id, body });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      // The end is what counts.
      parts.logger.warn('the disk is full: the rest of the log is not kept');
      break;
    }
  }
  if (work.kind === 'rollback' && end.status === 'rolled_back') await journal.setKept(null);
  const result = {
    end,
    ended_at: new Date().toISOString(),
    log_bytes: sentBefore + log_bytes,
  };
  await journal.finish(work, end.status === 'skipped' ? null : result);
  if (end.status === 'completed') await dropKept(parts.config.state_dir);
  else await keepFetched(parts, work);
  await removeUnused(parts);
  parts.logger.info(
    { deployment: deployment_id, attempt, status: end.status, version: end.installed_version },
    end.error_message ?? `ended: ${end.status}`,
  );
}

async function frozenLog(
  parts: AgentParts,
  work: ActiveWork,
  log: InstallLog,
  limit: number,
): Promise<string> {
  const path = join(workDir(parts.config.state_dir, work.run_id), 'final.log');
  const frozen = await readIfPresent(path);
  if (frozen !== null) return frozen;
  const text = log.text(limit);
  try {
    await withRoom(parts.config.state_dir, () => writeDurable(path, text));
    return text;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return '';
  }
}

/** The next attempt at the same package continues with it. It can do without. */
export async function keepFetched({ config, logger }: AgentParts, work: ActiveWork): Promise<void> {
  const file = packageFileOf(config.state_dir, work.run_id);
  await keepDownload(config.state_dir, file).catch((error: unknown) =>
    logger.warn(`what was downloaded is not kept: ${messageOf(error)}`),
  );
}

/** What is in the way was said once. */
const told = new Set<string>();

/**
 * Removes every work folder, snapshot and control group nothing needs any more, as far as possible; never
 * rejects. What cannot be removed keeps nobody from polling and reporting.
 */
export async function removeUnused({ config, journal, logger }: AgentParts): Promise<void> {
  await removeEmptyControlGroups(config.state_dir);
  const { active, kept } = journal.state;
  const faults: string[] = [];
  for (const name of await namesIn(workDir(config.state_dir))) {
    if (name === active?.run_id) continue;
    faults.push(...(await removeTree(workDir(config.state_dir, name))));
  }
  for (const name of await namesIn(snapshotDir(config.state_dir))) {
    if (name === active?.run_id || name === kept?.run_id) continue;
    faults.push(...(await removeSnapshot(snapshotDir(config.state_dir, name))));
  }
  for (const fault of faults.filter((one) => !told.has(one))) {
    logger.warn(`cannot be tidied up, and is tried again: ${fault}`);
  }
  told.clear();
  for (const fault of faults) told.add(fault);
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}
