/**
 * Everything before the device is changed: download, verify and unpack the package, and save the current
 * state. A failure here leaves the device untouched.
 */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Manifest } from '../../../backend/contract/signing/manifest.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { isDiskFull, keepReserve } from '../../files/reserve.ts';
import { NoSpace, withRoom } from '../../files/room.ts';
import {
  AgentStopping,
  AttemptCancelled,
  Deferred,
  StepFailure,
  failureCauseOf,
  messageOf,
} from '../../kernel/errors.ts';
import { extractPackage } from '../../package/extract.ts';
import { readBootId } from '../../files/boot-id.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { HttpClient } from '../network/http-client.ts';
import type { ServerApi } from '../network/server-api.ts';
import type { Reception } from '../reports/attempt-reports.ts';
import type { LiveCredentials } from '../state/live-credentials.ts';
import { namedComponent } from '../state/journal.ts';
import { UPDATE_STEPS } from '../state/step-table.ts';
import { downloadPackage } from '../steps/download/download.ts';
import { resumeKept } from '../steps/download/kept-download.ts';
import { discardDownload } from '../steps/download/partial-download.ts';
import { importBundledKeyring, requireSigned } from '../steps/signature.ts';
import { removeSnapshot, takeSnapshot } from '../steps/snapshot.ts';
import type { HealthRuns } from './health-runs.ts';
import { isExhausted } from './interruptions.ts';
import { requirePermission, requireWindow } from './permission.ts';
import type { Reboot } from './reboot.ts';
import { scriptEnvironment } from './script-environment.ts';
import type { ServerContact } from './server-contact.ts';
import type { UpdateInProgress } from './update-in-progress.ts';

export class Preparation {
  constructor(
    private readonly config: AgentConfig,
    private readonly api: ServerApi,
    private readonly http: HttpClient,
    private readonly registration: LiveCredentials,
    private readonly contact: ServerContact,
    private readonly reboot: Reboot,
    private readonly healthRuns: HealthRuns,
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * The steps `download`, `extract` and `snapshot`. Advances to `install` or `end`.
   * @throws {AgentStopping} at a safe point
   * @throws {Deferred} to be tried again by the next cycle
   * @throws {AttemptCancelled} by a server that expects no report
   */
  async prepare(update: UpdateInProgress): Promise<void> {
    const { log, work } = update;
    const { state_dir: stateDir } = this.config;
    let manifest: Manifest | null;
    try {
      await this.#countStart(update);
      await withRoom(stateDir, () => keepReserve(stateDir));
      if (work.component !== null) log.line(`a component of this device: ${work.component}`);
      log.line(
        `attempt ${work.attempt}: ${work.previous_version ?? 'unknown version'} → ${work.target_version}`,
      );
      const reception = await update.reports.sendAndAwait({
        status: UPDATE_STEPS.download.report,
      });
      manifest = await requireSigned(this.config, this.#organizationId, update.work);
      // On a full disk a downloaded package may have been dropped to make room for the journal.
      const fetched = await stat(update.packageFile).catch(() => null);
      if (update.work.step === 'download' || !fetched) await this.#download(update, manifest);
      // Before anything is unpacked: waiting for the night must not wear out the flash.
      await this.#requirePermission(update);
      await this.#requireReachable(reception);
      await this.#unpack(update, manifest);
      await this.#save(update);
    } catch (error) {
      return this.#stopPreparing(update, error);
    }
    await update.advance({
      step: 'install',
      sequence: manifest?.sequence ?? null,
      // Unknown where there is no /proc: it serves a hint in a report only.
      boot_id: await readBootId().catch(() => null),
    });
  }

  async #stopPreparing(update: UpdateInProgress, error: unknown): Promise<void> {
    if (error instanceof AgentStopping || error instanceof Deferred) {
      await update.advance({ starts: update.work.starts - 1 });
      throw error;
    }
    const { previous_version: installed_version } = update.work;
    if (error instanceof AttemptCancelled) {
      update.log.line(error.message);
      this.logger.info({ deployment: update.work.deployment_id }, error.message);
      await removeTree(update.unpackedDir);
      if (!error.reportSkipped) throw error;
      return update.decideEnd({ status: 'skipped', error_message: null, installed_version });
    }
    if (error instanceof NoSpace || isDiskFull(error)) await dropEverything(update);
    update.log.line(`failed before anything was changed: ${messageOf(error)}`);
    const { failureCause: usual } = UPDATE_STEPS[update.work.step];
    await update.decideEnd({
      status: 'failed',
      error_message: messageOf(error),
      installed_version,
      failure_cause: isDiskFull(error) ? 'space' : (failureCauseOf(error) ?? usual),
    });
  }

  get #organizationId(): string | null {
    return this.registration.current.organization_id;
  }

  /**
   * A package that takes the agent down each time (memory, a kernel fault) must not do so forever. A
   * download that got further before it was interrupted starts the count again.
   */
  async #countStart(update: UpdateInProgress): Promise<void> {
    const { step, starts, fetched_bytes } = update.work;
    const bytes = (await stat(update.packageFile).catch(() => null))?.size ?? 0;
    const interrupted = step === 'download' && bytes > fetched_bytes ? 0 : starts;
    await update.advance({ starts: interrupted + 1, fetched_bytes: bytes });
    if (isExhausted(this.config, update.work, interrupted)) {
      throw new StepFailure(
        `The agent or the device stopped ${interrupted} times in a row in the step ${step}. Nothing was installed.`,
        'other',
      );
    }
  }

  /** @throws {Deferred} */
  async #requirePermission({ work }: UpdateInProgress): Promise<void> {
    requireWindow(this.config.install.window, new Date());
    const env = scriptEnvironment(this.config.root, work);
    await requirePermission(this.config, env, this.stopping);
  }

  /**
   * The new version has to prove that it still reaches the server. That proves something only when the
   * device reached it right before, and by the same requests.
   * @throws {Deferred}
   */
  async #requireReachable(reception: Reception): Promise<void> {
    if (!this.config.commit.require_report || reception === 'recorded') return;
    const waits = 'the server gives no answer; the installation waits for it';
    if (reception === 'unanswered') throw new Deferred(waits);
    const contact = await this.contact.check(this.stopping);
    if (contact.kind !== 'answered') throw new Deferred(`${waits} (${contact.why})`);
  }

  async #download(update: UpdateInProgress, manifest: Manifest | null): Promise<void> {
    let percent: number | null = null;
    const progress = update.reports.reportProgress(() => percent);
    try {
      await resumeKept(this.config.state_dir, update.packageFile, update.work.checksum);
      await downloadPackage({
        url: update.work.package_url,
        file: update.packageFile,
        checksum: update.work.checksum,
        limits: this.config.download,
        exactSize: manifest?.size ?? null,
        server: this.api,
        http: this.http,
        logger: this.logger,
        signal: update.reports.cancelSignal,
        onProgress: (now) => {
          percent = now;
        },
      });
    } finally {
      await progress.stop();
    }
    update.log.line('package downloaded and checked');
    await update.advance({ step: 'extract', starts: 1 });
  }

  /** Unpacked files are not flushed: after a power cut the package is unpacked again. */
  async #unpack(update: UpdateInProgress, manifest: Manifest | null): Promise<void> {
    await extractPackage({
      file: update.packageFile,
      checksum: update.work.checksum,
      target: update.unpackedDir,
      limits: this.config.extract,
      expected: manifest && {
        unpackedSize: manifest.unpacked_size,
        fileCount: manifest.file_count,
      },
      signal: update.reports.cancelSignal,
    });
    await importBundledKeyring(this.config, this.#organizationId, update.work, update.unpackedDir);
    await this.reboot.requireUsable(update.unpackedDir);
    update.log.line('package unpacked');
    // A run that was interrupted while saving unpacks again, which is no progress: its count continues.
    if (update.work.step !== 'snapshot') await update.advance({ step: 'snapshot', starts: 1 });
  }

  async #save(update: UpdateInProgress): Promise<void> {
    const { run_id, deployment_id, attempt, component } = update.work;
    const { previous_version, target_version } = update.work;
    const owner = { run_id, deployment_id, attempt, ...namedComponent(component) };
    await takeSnapshot(
      update.snapshotDir,
      this.config.snapshot_paths,
      { ...owner, previous_version, target_version },
      update.reports.cancelSignal,
    );
    await this.healthRuns.recordSystem(update.snapshotDir);
    update.log.line('current state saved');
    // Unpacking and saving may have taken long.
    await this.#requirePermission(update);
    await this.#requireReachable(
      await update.reports.sendAndAwait({ status: UPDATE_STEPS.snapshot.report }),
    );
    update.reports.cancelSignal.throwIfAborted();
  }
}

/** On a full disk: frees the room that is needed to report the failure. */
async function dropEverything({
  packageFile,
  unpackedDir,
  snapshotDir,
}: UpdateInProgress): Promise<void> {
  await discardDownload(packageFile).catch(() => undefined);
  await removeTree(unpackedDir);
  await removeSnapshot(snapshotDir);
}
