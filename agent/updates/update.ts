/**
 * Carries an update through its steps, from wherever the journal says it stands. Each step is
 * written down before it acts; the journal's table is in docs/agent.md.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentParts,
  raiseSequence,
  snapshotDir,
  workDir,
  writeCurrentVersion,
} from '../agent-parts.ts';
import { AttemptReports } from '../reports/attempt-reports.ts';
import { AgentStopping, AttemptWithdrawn, NotNow, messageOf } from '../errors.ts';
import { flushDisks } from '../process/flush.ts';
import { checkHealth, restore, scriptEnvironment, verifyRestored } from './going-back.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, EndReport, UpdateStep } from '../state/journal.ts';
import type { Manifest } from '../manifest.ts';
import { requirePermission } from './permission.ts';
import { keepReserve } from '../state/reserve.ts';
import { checkPackage } from '../steps/check.ts';
import { discardDownload, downloadPackage } from '../steps/download.ts';
import { extractPackage } from '../steps/extract.ts';
import { runInstallScript } from '../steps/install.ts';
import { requireSigned } from '../steps/signature.ts';
import { markCommitted, removeSnapshot, takeSnapshot } from '../steps/snapshot.ts';
import { endWork, removeUnused } from './work-end.ts';

/** Steps in which the device is still untouched. */
const UNTOUCHED: ReadonlySet<UpdateStep> = new Set(['download', 'extract', 'snapshot']);

/**
 * @returns how the attempt ended; `null` when the server withdrew it and expects no report
 * @throws {AgentStopping} at a safe point; the next start continues
 * @throws {NotNow} the device's own rules ask to wait; the next cycle continues
 * @throws {RestoreIncomplete} the next cycle tries again
 */
export async function carryOutUpdate(
  parts: AgentParts,
  work: ActiveUpdate,
): Promise<EndReport | null> {
  await mkdir(workDir(parts.config.state_dir, work.run_id), { recursive: true, mode: 0o700 });
  const log = new InstallLog(join(workDir(parts.config.state_dir, work.run_id), 'install.log'));
  try {
    const run = new UpdateRun(parts, work, log);
    const end = await run.run();
    if (end) await endWork(parts, run.work, end, log);
    else {
      await parts.journal.finish(work, null);
      await removeUnused(parts);
    }
    return end;
  } finally {
    log.close();
  }
}

class UpdateRun {
  readonly #parts: AgentParts;
  readonly #log: InstallLog;
  readonly #reports: AttemptReports;
  #work: ActiveUpdate;
  /** `null`: no keys are configured, the server's word is enough. */
  #manifest: Manifest | null = null;
  /** Of the download. */
  #percent: number | null = null;

  constructor(parts: AgentParts, work: ActiveUpdate, log: InstallLog) {
    this.#parts = parts;
    this.#work = work;
    this.#log = log;
    this.#reports = new AttemptReports(parts, work);
  }

  get work(): ActiveUpdate {
    return this.#work;
  }

  async run(): Promise<EndReport | null> {
    if (UNTOUCHED.has(this.#work.step)) {
      const withdrawn = await this.#prepareAndInstall();
      if (withdrawn) return null;
    } else if (this.#work.step === 'install') {
      await this.#goBack('The device or the agent stopped while install.sh was running.');
    }
    if (this.#work.step === 'verify') await this.#verify();
    if (this.#work.step === 'commit') await this.#commit();
    if (this.#work.step === 'restore') {
      this.#work = await restore(this.#parts, this.#work, this.#log);
    }
    if (this.#work.step === 'verify_restored') {
      await this.#decideEnd(await verifyRestored(this.#parts, this.#work, this.#log));
    }
    return this.#work.end;
  }

  /** @returns true when the attempt was withdrawn without a report to make */
  async #prepareAndInstall(): Promise<boolean> {
    try {
      this.#log.line(
        `attempt ${this.#work.attempt}: ${this.#work.previous_version ?? 'unknown version'} → ${this.#work.target_version}`,
      );
      await this.#reports.sendAndListen({ status: 'downloading' });
      this.#manifest = await requireSigned(this.#parts, this.#work);
      if (this.#work.step === 'download') await this.#download();
      // Unpacked files are not flushed: after a power cut they are made again from the package.
      await this.#extract();
      await this.#snapshot();
    } catch (error) {
      if (error instanceof AgentStopping || error instanceof NotNow) throw error;
      if (error instanceof AttemptWithdrawn) return this.#withdraw(error);
      this.#log.line(`failed before anything was changed: ${messageOf(error)}`);
      await this.#decideEnd({
        status: 'failed',
        error_message: messageOf(error),
        installed_version: this.#work.previous_version,
      });
      return false;
    }
    await this.#install();
    return false;
  }

  get #package(): string {
    return join(workDir(this.#parts.config.state_dir, this.#work.run_id), 'package.tar.gz');
  }

  get #unpacked(): string {
    return join(workDir(this.#parts.config.state_dir, this.#work.run_id), 'package');
  }

  get #snapshotDir(): string {
    return snapshotDir(this.#parts.config.state_dir, this.#work.run_id);
  }

  async #download(): Promise<void> {
    const progress = this.#reports.tellProgress(() => this.#percent);
    try {
      const { resumed } = await this.#fetch();
      try {
        await this.#check();
      } catch (error) {
        this.#reports.untouchedSignal.throwIfAborted();
        await discardDownload(this.#package);
        if (!resumed) throw error;
        // The earlier part may have been of another file after all: once more, from the beginning.
        this.#log.line(`${messageOf(error)} Downloading from the beginning.`);
        await this.#fetch();
        await this.#check();
      }
    } finally {
      await progress.stop();
    }
    this.#log.line('package downloaded and checked');
    await this.#advance({ step: 'extract' });
  }

  #fetch(): Promise<{ resumed: boolean }> {
    const { config, http, logger, api } = this.#parts;
    return downloadPackage({
      url: this.#work.package_url,
      file: this.#package,
      checksum: this.#work.checksum,
      limits: config.download,
      exactSize: this.#manifest?.size ?? null,
      server: { origin: api.origin, token: api.token },
      http,
      logger,
      signal: this.#reports.untouchedSignal,
      onProgress: (percent) => {
        this.#percent = percent;
      },
    });
  }

  #check(): Promise<void> {
    return checkPackage(this.#package, this.#work.checksum, this.#reports.untouchedSignal);
  }

  async #extract(): Promise<void> {
    await extractPackage({
      file: this.#package,
      checksum: this.#work.checksum,
      target: this.#unpacked,
      limits: this.#parts.config.extract,
      expected: this.#manifest && {
        unpackedSize: this.#manifest.unpacked_size,
        fileCount: this.#manifest.file_count,
      },
      signal: this.#reports.untouchedSignal,
    });
    this.#log.line('package unpacked');
    await this.#advance({ step: 'snapshot' });
  }

  async #snapshot(): Promise<void> {
    const { config } = this.#parts;
    await requirePermission(this.#parts, scriptEnvironment(this.#parts, this.#work));
    await keepReserve(config.state_dir);
    const { run_id, deployment_id, attempt, previous_version, target_version } = this.#work;
    await takeSnapshot(
      this.#snapshotDir,
      config.snapshot_paths,
      { run_id, deployment_id, attempt, previous_version, target_version },
      this.#reports.untouchedSignal,
    );
    this.#log.line('current state saved');
    await this.#reports.sendAndListen({ status: 'installing' });
    this.#reports.untouchedSignal.throwIfAborted();
  }

  async #install(): Promise<void> {
    const { config } = this.#parts;
    await this.#advance({ step: 'install', sequence: this.#manifest?.sequence ?? null });
    try {
      this.#log.line('running install.sh');
      await runInstallScript({
        folder: this.#unpacked,
        runId: this.#work.run_id,
        env: scriptEnvironment(this.#parts, this.#work),
        limits: config.install,
        onOutput: (chunk) => this.#log.write(chunk),
      });
      await flushDisks();
      this.#log.line('install.sh succeeded');
      await this.#advance({ step: 'verify', health_runs: 0 });
    } catch (error) {
      await this.#goBack(messageOf(error));
    }
  }

  async #verify(): Promise<void> {
    if (this.#work.health_runs >= this.#parts.config.health.max_interrupted_runs) {
      return this.#goBack(
        `The health check was cut off ${this.#work.health_runs} times by the agent or the device stopping.`,
      );
    }
    try {
      await this.#reports.send({ status: 'verifying' });
      await checkHealth(this.#parts, this.#work, this.#log);
      await flushDisks();
      this.#log.line('healthy');
      await this.#advance({ step: 'commit' });
    } catch (error) {
      if (error instanceof AgentStopping) throw error;
      await this.#goBack(messageOf(error));
    }
  }

  async #commit(): Promise<void> {
    const { config, journal } = this.#parts;
    const { run_id, deployment_id, previous_version: version, target_version } = this.#work;
    await writeCurrentVersion(config, target_version);
    if (this.#work.sequence !== null) await raiseSequence(config, this.#work.sequence);
    if (config.keep_snapshot) {
      await markCommitted(this.#snapshotDir);
      await journal.setKept({ run_id, deployment_id, version, replaced_by: target_version });
    } else {
      await removeSnapshot(this.#snapshotDir);
      await journal.setKept(null);
    }
    await this.#decideEnd({
      status: 'completed',
      error_message: null,
      installed_version: target_version,
    });
  }

  /**
   * Even when the journal cannot be written, as long as it says `install`: that leads back, too. From
   * any other step it would not, and going back unnoticed could end with the old files called new.
   */
  async #goBack(reason: string): Promise<void> {
    this.#log.line(reason);
    const change = { step: 'restore', reason, health_runs: 0 } as const;
    try {
      await this.#advance(change);
    } catch (error) {
      if ((await this.#parts.journal.stepOnDisk()) !== 'install') throw error;
      this.#parts.logger.error({ err: error }, 'the journal cannot be written; going back anyway');
      this.#work = { ...this.#work, ...change };
    }
  }

  async #withdraw(withdrawn: AttemptWithdrawn): Promise<boolean> {
    this.#log.line(withdrawn.message);
    this.#parts.logger.info({ deployment: this.#work.deployment_id }, withdrawn.message);
    await rm(this.#unpacked, { recursive: true, force: true });
    if (!withdrawn.reportSkipped) return true;
    await this.#decideEnd({
      status: 'skipped',
      error_message: null,
      installed_version: this.#work.previous_version,
    });
    return false;
  }

  async #decideEnd(end: EndReport): Promise<void> {
    await this.#advance({ step: 'end', end });
  }

  async #advance(change: Partial<ActiveUpdate>): Promise<void> {
    this.#work = await this.#parts.journal.advance(this.#work, change);
    const { deployment_id: deployment, attempt, step } = this.#work;
    this.#parts.logger.info({ deployment, attempt, step }, `step ${step}`);
  }
}
