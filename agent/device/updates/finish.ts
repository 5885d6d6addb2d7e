/** Finishes an update or a rollback: final report, log, and removal of what is not needed any more. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { MAX_INSTALL_LOG_BYTES } from '../../../backend/contract/device-api.ts';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { isDiskFull } from '../../files/reserve.ts';
import { withRoom } from '../../files/room.ts';
import { packageFileOf, workDir } from '../../files/state-folder.ts';
import { messageOf } from '../../kernel/errors.ts';
import { splitUtf8 } from '../process/limited-output.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { Outbox } from '../reports/outbox.ts';
import type { ActiveWork, EndReport, Journal } from '../state/journal.ts';
import { dropKept, keepDownload } from '../steps/download/kept-download.ts';
import type { Cleanup } from './cleanup.ts';
import { endReportBody } from './end-report.ts';

const CHUNK_BYTES = 64 * 1024;

export class Finish {
  constructor(
    private readonly stateDir: string,
    private readonly journal: Journal,
    private readonly outbox: Outbox,
    private readonly cleanup: Cleanup,
    private readonly logger: Logger,
  ) {}

  /**
   * The step `end`: puts report and log into the outbox, then closes the work in the journal. May be
   * repeated after a power cut: the log is frozen first, so a second upload has the same offsets and the
   * server drops it.
   */
  async report(work: ActiveWork, end: EndReport, log: InstallLog): Promise<void> {
    const { journal, outbox } = this;
    const { deployment_id, attempt } = work;
    const sentBefore =
      work.kind === 'rollback' ? (journal.findFinished(deployment_id, attempt)?.log_bytes ?? 0) : 0;
    const text = await this.#frozenLog(work, log, MAX_INSTALL_LOG_BYTES - sentBefore);
    await outbox.add({ kind: 'status', deployment_id, body: endReportBody(attempt, end) });
    // A skipped attempt may be offered again; its log would be in the way of that one's.
    const log_bytes = end.status === 'skipped' ? 0 : Buffer.byteLength(text);
    for (const { offset, chunk } of log_bytes > 0 ? splitUtf8(text, CHUNK_BYTES) : []) {
      const body = { attempt, chunk, offset: sentBefore + offset };
      try {
        await outbox.add({ kind: 'log', deployment_id, body });
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        // The report matters more than its log.
        this.logger.warn('the disk is full: the rest of the log is not kept');
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
    if (end.status === 'completed') await dropKept(this.stateDir);
    else await this.#keepDownload(work);
    await this.cleanup.removeUnused();
    this.logger.info(
      { deployment: deployment_id, attempt, status: end.status, version: end.installed_version },
      end.error_message ?? `finished: ${end.status}`,
    );
  }

  /** For an attempt that was cancelled by a server that expects no report. */
  async drop(work: ActiveWork): Promise<void> {
    await this.journal.finish(work, null);
    await this.#keepDownload(work);
    await this.cleanup.removeUnused();
  }

  async #frozenLog(work: ActiveWork, log: InstallLog, limit: number): Promise<string> {
    const path = join(workDir(this.stateDir, work.run_id), 'final.log');
    const frozen = await readIfPresent(path);
    if (frozen !== null) return frozen;
    const text = log.text(limit);
    try {
      await withRoom(this.stateDir, () => writeDurable(path, text));
      return text;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return '';
    }
  }

  /** The next attempt at the same package resumes it. Only a convenience: a failure is logged. */
  async #keepDownload(work: ActiveWork): Promise<void> {
    const file = packageFileOf(this.stateDir, work.run_id);
    await keepDownload(this.stateDir, file).catch((error: unknown) =>
      this.logger.warn(`what was downloaded is not kept: ${messageOf(error)}`),
    );
  }
}
