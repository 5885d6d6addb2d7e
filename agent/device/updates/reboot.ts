/**
 * Reboots that an update needs: into the new system, and back when it is rolled back. `install.sh` requests
 * one by creating the file named by `OTA_REBOOT_REQUIRED`; docs/agent.md describes both sides.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { StatusReport } from '../../../backend/contract/device-api.ts';
import { removeDurable, writeDurable } from '../../files/durable-file.ts';
import { isInside } from '../../files/is-inside.ts';
import { withRoom } from '../../files/room.ts';
import { onTrialFile, rebootRequestFile, snapshotDir } from '../../files/state-folder.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/waiting.ts';
import { REBOOT_MARK } from '../../package/reboot-mark.ts';
import { type BootAdapter, BootFailure, type BootTarget } from '../boot/boot-adapter.ts';
import {
  DEFAULT_COMMAND,
  rebootCommandOf,
  requireAsConfigured,
  requireRebootCommand,
} from '../boot/reboot-command.ts';
import { readBootId } from '../../files/boot-id.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { flushDisks } from '../process/flush.ts';
import { describeResult, runCommand } from '../process/run-command.ts';
import type { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, ActiveWork, Journal, RebootProgress } from '../state/journal.ts';
import { UPDATE_STEPS } from '../state/step-table.ts';
import { type RebootRecord, readRebootRecord, writeRebootRecord } from '../steps/reboot-record.ts';
import { readScriptFile } from '../steps/script-file.ts';
import { readSnapshot } from '../steps/snapshot.ts';
import { requirePermission, requireWindow } from './permission.ts';
import { PROTECTION_WORDS, readProtection } from './protection.ts';
import { scriptEnvironment } from './script-environment.ts';
import type { UpdateInProgress } from './update-in-progress.ts';

/** Name of the variable for `install.sh`. */
export const REBOOT_VARIABLE = 'OTA_REBOOT_REQUIRED';

/** Of the file that requests a reboot; its first line may name what to start. */
const MAX_REQUEST_BYTES = 1000;
/** How long the boot loader may take to answer after a start. */
const QUERY_LIMIT_MS = 60_000;
const QUERY_RETRY_MS = 2_000;
/** How often the device is told to reboot before the update counts as failed. */
const MAX_REQUESTS = 3;

/** The step goes on; the device is only away for a while. */
export const REBOOTING = {
  status: UPDATE_STEPS.reboot.report,
  activity: 'rebooting',
} as const satisfies StatusReport;

export class Reboot {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly adapter: BootAdapter,
    private readonly stopping: AbortSignal,
  ) {}

  /** Logs what the device can rely on, or why the boot loader cannot be used. Never rejects. */
  async logReadiness(logger: Logger): Promise<void> {
    const { name } = this.adapter;
    try {
      await requireAsConfigured(this.config.reboot.command, this.adapter);
      if (name !== 'none') logger.info(`boot adapter ${name}: ${this.adapter.describe()}`);
    } catch (error) {
      logger.error(
        `the boot adapter ${name} cannot be used, updates that need a reboot fail: ${messageOf(error)}`,
      );
    }
    const protection = await readProtection(this.config, this.adapter);
    const level = protection === 'none' ? 'warn' : 'info';
    logger[level](`protection ${protection}: ${PROTECTION_WORDS[protection]}`);
  }

  /**
   * Before anything is changed: a package that is marked to need a reboot needs a usable boot loader and reboot
   * command.
   * @throws {BootFailure}
   */
  async requireUsable(unpackedDir: string): Promise<void> {
    if ((await markOf(unpackedDir)) === null) return;
    await this.adapter.check();
    await requireRebootCommand(this.#command);
  }

  /**
   * Right before `install.sh`: records what a rollback needs if the device restarts before the script ends.
   * @returns where the script requests a reboot; the file is not there yet
   */
  async prepare({ work, snapshotDir: snapshot }: UpdateInProgress): Promise<string> {
    // An update that needs no reboot works without /proc, and without the boot loader.
    const boot = await readBootId().catch(() => null);
    const target = await this.#targetBeforeInstall();
    if (boot !== null && target !== null) {
      await this.#writeRecord(snapshot, { installed_in: boot, requested: false, target });
    }
    const file = rebootRequestFile(this.config.state_dir, work.run_id);
    await removeDurable(file);
    return file;
  }

  /**
   * After `install.sh`: whether it requested a reboot, and if so, into what.
   * @returns the change that takes the journal to the step `reboot`; `null`: no reboot
   * @throws {BootFailure} the boot loader has no new system to start
   */
  async plan({
    work,
    snapshotDir: snapshot,
    unpackedDir,
  }: UpdateInProgress): Promise<Partial<ActiveUpdate> | null> {
    const file = rebootRequestFile(this.config.state_dir, work.run_id);
    const text = (await readScriptFile(file, MAX_REQUEST_BYTES)) ?? (await markOf(unpackedDir));
    if (text === null) return null;
    const target = await this.adapter.select(text.split('\n')[0]?.trim() ?? '');
    const boot = await readBootId();
    await this.#writeRecord(snapshot, { installed_in: boot, requested: true, target });
    return { step: 'reboot', reboot: progressFrom(boot), health_runs: 0 };
  }

  /**
   * The step `reboot`. Resolves when the new system runs.
   * @throws {StepFailure | BootFailure} roll back
   * @throws {Deferred} outside of the maintenance window, or without permission
   * @throws {AgentStopping} the device goes down
   */
  async rebootIntoNew(update: UpdateInProgress): Promise<void> {
    const boot = await readBootId();
    const before = progressOf(update.work);
    // A reboot that was not requested, while this one waited: nothing is armed yet.
    const isOther = before.requests === 0 && this.adapter.name !== 'none';
    if (boot !== before.boot_id && !isOther) return;
    const progress = { ...before, boot_id: boot };
    // Keeps the target from timing out while the reboot waits for its window.
    await update.reports.send({ status: UPDATE_STEPS.reboot.report });
    requireWindow(this.config.install.window, new Date());
    const env = scriptEnvironment(this.config.root, update.work);
    await requirePermission(this.config, env, this.stopping);
    await update.advance({ reboot: withRequest(progress) });
    const { target } = await this.#recordOf(update.work);
    await withRoom(this.config.state_dir, () =>
      writeDurable(onTrialFile(this.config.state_dir), `${update.work.target_version}\n`, 0o644),
    );
    await this.adapter.arm(target);
    await update.reports.sendBeforeReboot(REBOOTING);
    await this.#goDown(update.log, this.#command);
  }

  /**
   * Counts the starts of the new system. To be called by every step between reboot and commit.
   * @throws {StepFailure | BootFailure} roll back: the old system runs, or the new one started too often
   */
  async requireNewSystem(update: UpdateInProgress): Promise<void> {
    const { reboot } = update.work;
    if (reboot === null) return;
    const boot = await readBootId();
    const isCounted = boot === reboot.boot_id;
    const boots = isCounted ? reboot.boots : reboot.boots + 1;
    if (!isCounted) await update.advance({ reboot: { boot_id: boot, boots, requests: 0 } });
    // Also in a start that is counted: the agent may have been killed before it had the answer.
    const { target } = await this.#recordOf(update.work);
    if (!(await this.#runsNew(target))) {
      throw new StepFailure(
        'The new system did not come up: the device started the old one again.',
        'reboot',
      );
    }
    const { max_boots: limit } = this.config.reboot;
    if (boots > limit) {
      throw new StepFailure(
        `The new system started ${boots} times and was never found healthy.`,
        'reboot',
      );
    }
  }

  /**
   * Makes the new system the one that starts from now on. Before the journal commits, so that a power cut in
   * between repeats the checks on the new system.
   * @throws {BootFailure}
   */
  async commit(work: ActiveUpdate): Promise<void> {
    if (work.reboot === null) return;
    const { target } = await this.#recordOf(work);
    await this.adapter.commit(target);
    // After a power cut a commit that was not on disk would start the old system under the new version's name.
    await flushDisks();
    await removeDurable(onTrialFile(this.config.state_dir));
  }

  /**
   * Part of a restore, before the files are back: some boot loaders tell what runs from files that an update
   * changes.
   * @throws {AgentStopping}
   */
  async noteRunningSystem(work: ActiveWork): Promise<void> {
    const snapshot = snapshotDir(this.config.state_dir, work.run_id);
    const record = await readRebootRecord(snapshot);
    if (record === null || !this.#concerns(record, work)) return;
    const boot = await readBootId();
    if (boot === record.installed_in || boot === record.new_runs_in) return;
    try {
      if (!(await this.#runsNew(record.target))) return;
    } catch (error) {
      // The files first; then `revert` asks again, and fails.
      if (error instanceof BootFailure) return;
      throw error;
    }
    await this.#writeRecord(snapshot, { ...record, new_runs_in: boot });
  }

  /**
   * Part of a restore, once the files are back: the boot loader starts the old system from now on.
   * @returns the change that takes the journal to the step `reboot_restored`; `null`: no reboot is needed
   * @throws {BootFailure}
   * @throws {AgentStopping}
   */
  async revert(work: ActiveWork): Promise<Partial<ActiveWork> | null> {
    const { state_dir: stateDir } = this.config;
    const record = await readRebootRecord(snapshotDir(stateDir, work.run_id));
    if (record === null || !this.#concerns(record, work)) return null;
    const boot = await readBootId();
    const rebooted = boot !== record.installed_in;
    const runsNew =
      rebooted && (boot === record.new_runs_in || (await this.#runsNew(record.target)));
    await this.adapter.revert(record.target);
    await removeDurable(onTrialFile(stateDir));
    const needed = runsNew && (this.adapter.name !== 'none' || (await this.#coversBootFiles(work)));
    return needed ? { step: 'reboot_restored', reboot: progressFrom(boot) } : null;
  }

  /**
   * The step `reboot_restored`: reboots into the restored system. It waits for no window: the device is rolled
   * back, and something is wrong with what runs.
   * @returns why the reboot was given up; `null`: the device has rebooted
   * @throws {AgentStopping} the device goes down
   */
  async rebootIntoOld<T extends ActiveWork>(
    work: T,
    log: InstallLog,
    announce: () => Promise<void>,
  ): Promise<string | null> {
    const progress = progressOf(work);
    if ((await readBootId()) !== progress.boot_id) return null;
    try {
      await this.journal.advance(work, { reboot: withRequest(progress) } as Partial<T>);
      await announce();
      await this.#goDown(log, this.config.reboot.command ?? DEFAULT_COMMAND);
      return null;
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      return messageOf(error);
    }
  }

  /** Into the new system. */
  get #command(): string {
    return rebootCommandOf(this.config.reboot.command, this.adapter);
  }

  /**
   * Whether a rollback may have to change what starts: after a request; and without one after an interrupted
   * `install.sh`, if the boot loader starts what the script wrote without being told.
   */
  #concerns({ requested }: RebootRecord, { kind }: ActiveWork): boolean {
    const { name, beforeInstall } = this.adapter;
    return requested || (kind === 'update' && (name === 'none' || beforeInstall !== undefined));
  }

  /** @throws {StepFailure} the command failed, or nothing happened */
  async #goDown(log: InstallLog, command: string): Promise<void> {
    const { timeout_seconds: limit } = this.config.reboot;
    log.line(`rebooting: ${command}`);
    await flushDisks();
    const timeoutMs = limit * 1000;
    const result = await runCommand({
      file: 'bash',
      args: ['-c', command],
      cwd: this.config.root,
      env: {},
      timeoutMs,
      graceMs: this.config.install.kill_grace_seconds * 1000,
      outputLimit: this.config.install.output_limit_bytes,
      onOutput: (chunk) => log.write(chunk),
      signal: this.stopping,
    });
    this.stopping.throwIfAborted();
    const fault = describeResult(result, timeoutMs);
    if (fault !== null) throw new StepFailure(`The reboot command ${fault}: ${command}`);
    await pause(timeoutMs, this.stopping);
    throw new StepFailure(`The device did not reboot within ${limit} seconds.`);
  }

  /**
   * Right after a start the boot loader's own service may not be up yet, which says nothing about the system.
   * @throws {BootFailure} when it still cannot be queried after a while
   */
  async #runsNew(target: BootTarget): Promise<boolean> {
    const deadline = performance.now() + QUERY_LIMIT_MS;
    for (;;) {
      try {
        return await this.adapter.bootedNew(target);
      } catch (error) {
        if (!(error instanceof BootFailure) || performance.now() > deadline) throw error;
        await pause(QUERY_RETRY_MS, this.stopping);
      }
    }
  }

  /** `null`: the boot loader does not answer, so that `install.sh` cannot switch it either. */
  async #targetBeforeInstall(): Promise<BootTarget | null> {
    try {
      return (await this.adapter.beforeInstall?.()) ?? {};
    } catch (error) {
      if (error instanceof BootFailure) return null;
      throw error;
    }
  }

  async #writeRecord(snapshot: string, record: RebootRecord): Promise<void> {
    await withRoom(this.config.state_dir, () => writeRebootRecord(snapshot, record));
  }

  async #recordOf(work: ActiveWork): Promise<RebootRecord> {
    const record = await readRebootRecord(snapshotDir(this.config.state_dir, work.run_id));
    if (record === null) throw new StepFailure('The record of the reboot is missing.');
    return record;
  }

  /** Whether the snapshot holds files that the boot loader or the kernel reads. */
  async #coversBootFiles(work: ActiveWork): Promise<boolean> {
    const index = await readSnapshot(snapshotDir(this.config.state_dir, work.run_id));
    const paths = index?.roots.map(({ path }) => path) ?? [];
    return this.config.reboot.paths.some((boot) =>
      paths.some((path) => isInside(path, boot) || isInside(boot, path)),
    );
  }
}

/** Contents of the package's own request; `null`: it has none. */
function markOf(unpackedDir: string): Promise<string | null> {
  return readScriptFile(join(unpackedDir, REBOOT_MARK), MAX_REQUEST_BYTES);
}

function progressOf({ reboot }: ActiveWork): RebootProgress {
  if (reboot === null) throw new StepFailure('The journal has no record of the reboot.');
  return reboot;
}

function progressFrom(bootId: string): RebootProgress {
  return { boot_id: bootId, boots: 0, requests: 0 };
}

/** @throws {StepFailure} when the device was told often enough */
function withRequest(progress: RebootProgress): RebootProgress {
  if (progress.requests < MAX_REQUESTS) return { ...progress, requests: progress.requests + 1 };
  throw new StepFailure(
    `The device did not reboot, although it was told to ${MAX_REQUESTS} times.`,
  );
}
