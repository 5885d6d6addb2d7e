/**
 * Everything up to the moment the device is changed: the package is fetched, checked and unpacked, the
 * state before is saved. A failure here leaves the device untouched.
 */
import { stat } from 'node:fs/promises';
import type { Manifest } from '../../../backend/contract/signing/manifest.ts';
import {
  AgentStopping,
  AttemptWithdrawn,
  NotNow,
  StepFailure,
  messageOf,
} from '../../kernel/errors.ts';
import type { Heard } from '../reports/attempt-reports.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { isDiskFull, keepReserve } from '../../files/reserve.ts';
import { NoSpace, withRoom } from '../../files/room.ts';
import { discardDownload, downloadPackage } from '../steps/download.ts';
import { resumeKept } from '../steps/kept-download.ts';
import { extractPackage } from '../../package/extract.ts';
import { followCarriedKeyring, requireSigned } from '../steps/signature.ts';
import { removeSnapshot, takeSnapshot } from '../steps/snapshot.ts';
import { scriptEnvironment } from './going-back.ts';
import { requirePermission, requireWindow } from './permission.ts';
import type { RunningUpdate } from './running-update.ts';
import { askServer } from './server-contact.ts';

/** `ended`: the journal has the end to report. `withdrawn`: the server expects no report. */
export type Preparation =
  { kind: 'ready'; manifest: Manifest | null } | { kind: 'ended' } | { kind: 'withdrawn' };

/**
 * @throws {AgentStopping} at a safe point
 * @throws {NotNow} the device's own rules, or a server that is away, ask to wait
 */
export async function prepare(update: RunningUpdate): Promise<Preparation> {
  const { log, work } = update;
  const { config, registration } = update.parts;
  try {
    await countStart(update);
    await withRoom(update.parts.config.state_dir, () => keepReserve(update.parts.config.state_dir));
    log.line(
      `attempt ${work.attempt}: ${work.previous_version ?? 'unknown version'} → ${work.target_version}`,
    );
    const heard = await update.reports.sendAndListen({ status: 'downloading' });
    const manifest = await requireSigned(config, registration.current.organization_id, update.work);
    // On a full disk a downloaded package may have gone for the sake of the journal.
    const fetched = await stat(update.packageFile).catch(() => null);
    if (update.work.step === 'download' || !fetched) await download(update, manifest);
    // Asked before anything is unpacked: waiting for the night must not wear the flash out.
    await requireLeave(update);
    await requireReachable(update, heard);
    await unpack(update, manifest);
    await save(update);
    return { kind: 'ready', manifest };
  } catch (error) {
    if (error instanceof AgentStopping || error instanceof NotNow) {
      await update.advance({ starts: update.work.starts - 1 });
      throw error;
    }
    if (error instanceof AttemptWithdrawn) return withdraw(update, error);
    if (error instanceof NoSpace || isDiskFull(error)) await dropEverything(update);
    log.line(`failed before anything was changed: ${messageOf(error)}`);
    await update.decideEnd({
      status: 'failed',
      error_message: messageOf(error),
      installed_version: update.work.previous_version,
    });
    return { kind: 'ended' };
  }
}

/**
 * A package that takes the agent down each time (memory, a kernel fault) must not do so for ever. A
 * download that came further before it was cut off counts from the beginning.
 */
async function countStart(update: RunningUpdate): Promise<void> {
  const { step, starts, fetched_bytes } = update.work;
  const { max_interrupted_starts: limit } = update.parts.config.install;
  const bytes = (await stat(update.packageFile).catch(() => null))?.size ?? 0;
  const interrupted = step === 'download' && bytes > fetched_bytes ? 0 : starts;
  await update.advance({ starts: interrupted + 1, fetched_bytes: bytes });
  if (interrupted >= limit) {
    throw new StepFailure(
      `The agent or the device stopped ${interrupted} times in a row in the step ${step}. Nothing was installed.`,
    );
  }
}

/** Nothing of the attempt is needed any more; the disk needs the room to say so. */
async function dropEverything({
  packageFile,
  unpackedDir,
  snapshotDir,
}: RunningUpdate): Promise<void> {
  await discardDownload(packageFile).catch(() => undefined);
  await removeTree(unpackedDir);
  await removeSnapshot(snapshotDir);
}

/** @throws {NotNow} */
async function requireLeave({ parts, work }: RunningUpdate): Promise<void> {
  const { config, stopping } = parts;
  requireWindow(config.install.window, new Date());
  await requirePermission(config, scriptEnvironment(parts, work), stopping);
}

/**
 * The new version has to prove that it still reaches the server. That proves something only when the
 * device reached it right before, and by the same questions.
 * @throws {NotNow}
 */
async function requireReachable({ parts }: RunningUpdate, heard: Heard): Promise<void> {
  if (!parts.config.commit.require_report || heard === 'recorded') return;
  const waits = 'the server gives no answer; the installation waits for it';
  if (heard === 'silence') throw new NotNow(waits);
  const contact = await askServer(parts, parts.stopping);
  if (contact.kind !== 'known') throw new NotNow(`${waits} (${contact.why})`);
}

async function download(update: RunningUpdate, manifest: Manifest | null): Promise<void> {
  let percent: number | null = null;
  const progress = update.reports.tellProgress(() => percent);
  const { config, http, logger, api } = update.parts;
  try {
    await resumeKept(config.state_dir, update.packageFile, update.work.checksum);
    await downloadPackage({
      url: update.work.package_url,
      file: update.packageFile,
      checksum: update.work.checksum,
      limits: config.download,
      exactSize: manifest?.size ?? null,
      server: api,
      http,
      logger,
      signal: update.reports.untouchedSignal,
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

/** Unpacked files are not flushed: after a power cut they are made again from the package. */
async function unpack(update: RunningUpdate, manifest: Manifest | null): Promise<void> {
  const { config, registration } = update.parts;
  await extractPackage({
    file: update.packageFile,
    checksum: update.work.checksum,
    target: update.unpackedDir,
    limits: config.extract,
    expected: manifest && {
      unpackedSize: manifest.unpacked_size,
      fileCount: manifest.file_count,
    },
    signal: update.reports.untouchedSignal,
  });
  await followCarriedKeyring(
    config,
    registration.current.organization_id,
    update.work,
    update.unpackedDir,
  );
  update.log.line('package unpacked');
  // Counted on from a run that was cut off while saving: it unpacks again, which is no progress.
  if (update.work.step !== 'snapshot') await update.advance({ step: 'snapshot', starts: 1 });
}

async function save(update: RunningUpdate): Promise<void> {
  const { config } = update.parts;
  const { run_id, deployment_id, attempt, previous_version, target_version } = update.work;
  await takeSnapshot(
    update.snapshotDir,
    config.snapshot_paths,
    { run_id, deployment_id, attempt, previous_version, target_version },
    update.reports.untouchedSignal,
  );
  update.log.line('current state saved');
  // Unpacking and saving may have taken long.
  await requireLeave(update);
  await requireReachable(update, await update.reports.sendAndListen({ status: 'installing' }));
  update.reports.untouchedSignal.throwIfAborted();
}

async function withdraw(update: RunningUpdate, withdrawn: AttemptWithdrawn): Promise<Preparation> {
  update.log.line(withdrawn.message);
  update.parts.logger.info({ deployment: update.work.deployment_id }, withdrawn.message);
  await removeTree(update.unpackedDir);
  if (!withdrawn.reportSkipped) return { kind: 'withdrawn' };
  await update.decideEnd({
    status: 'skipped',
    error_message: null,
    installed_version: update.work.previous_version,
  });
  return { kind: 'ended' };
}
