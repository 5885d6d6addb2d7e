/**
 * From the first change of the device to the decision: `install.sh`, health checks, the report that has to
 * reach the server, and the commit. Why the version stays only then:
 * docs/decisions/stays-once-the-server-heard.md.
 */
import type { Logger } from 'pino';
import type { FailureCause } from '../../../backend/contract/states.ts';
import { withRoom } from '../../files/room.ts';
import {
  AgentStopping,
  Deferred,
  StepFailure,
  failureCauseOf,
  messageOf,
} from '../../kernel/errors.ts';
import { pause } from '../../kernel/waiting.ts';
import { logFault } from '../../logging/logger.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { describeAnswer } from '../network/answers.ts';
import { flushDisks } from '../process/flush.ts';
import { installationMark } from '../process/installation-mark.ts';
import type { Receipt } from '../reports/outbox.ts';
import { recordInstallation } from '../state/components.ts';
import { type Journal, namedComponent } from '../state/journal.ts';
import { UPDATE_STEPS } from '../state/step-table.ts';
import { runInstallScript } from '../steps/install.ts';
import { IRREVERSIBLE_VARIABLE, irreversibleFile } from '../steps/irreversible.ts';
import { markCommitted, removeSnapshot } from '../steps/snapshot.ts';
import type { AgentTrial } from './agent-trial.ts';
import type { HealthRuns } from './health-runs.ts';
import { REBOOT_VARIABLE, type Reboot } from './reboot.ts';
import { scriptEnvironment } from './script-environment.ts';
import type { ServerContact } from './server-contact.ts';
import type { UpdateInProgress } from './update-in-progress.ts';

export class Installation {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly healthRuns: HealthRuns,
    private readonly contact: ServerContact,
    private readonly agentTrial: AgentTrial,
    private readonly rebooting: Reboot,
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  /** The step `install`. Advances to `verify` or `restore`. */
  async install(update: UpdateInProgress): Promise<void> {
    const { log, work } = update;
    try {
      log.line('running install.sh');
      await runInstallScript({
        folder: update.unpackedDir,
        mark: installationMark(this.config.state_dir, work.run_id),
        env: {
          ...scriptEnvironment(this.config.root, work),
          [IRREVERSIBLE_VARIABLE]: irreversibleFile(update.snapshotDir),
          [REBOOT_VARIABLE]: await this.rebooting.prepare(update),
          ...(await this.agentTrial.prepareFolder(work.run_id)),
        },
        limits: this.config.install,
        onOutput: (chunk) => log.write(chunk),
      });
      await flushDisks();
      log.line('install.sh succeeded');
      await update.advance(
        (await this.rebooting.plan(update)) ?? { step: 'verify', health_runs: 0 },
      );
    } catch (error) {
      await this.#rollBackAfter(update, error);
    }
  }

  /**
   * The step `reboot`, where `install.sh` requested one. Advances to `verify` or `restore`.
   * @throws {AgentStopping} the device goes down
   * @throws {Deferred} outside of the maintenance window, or without permission
   */
  async reboot(update: UpdateInProgress): Promise<void> {
    if (await this.#attempt(update, () => this.rebooting.rebootIntoNew(update))) {
      await update.advance({ step: 'verify', health_runs: 0 });
    }
  }

  /**
   * The step `verify`. Advances to `trial`, `commit` or `restore`.
   * @throws {AgentStopping} the next start checks again
   */
  async verify(update: UpdateInProgress): Promise<void> {
    const { log, work } = update;
    if (this.healthRuns.areExhausted(work)) {
      return this.rollBack(
        update,
        `The health check was interrupted ${work.health_runs} times because the agent or the device stopped.`,
      );
    }
    try {
      await this.rebooting.requireNewSystem(update);
      const report = await update.reports.send({ status: UPDATE_STEPS.verify.report });
      await this.healthRuns.runCounted(update.work, async () => {
        await this.healthRuns.requireHealthy(work, log);
        log.line('healthy');
        if (this.config.commit.require_report) await this.#requireServerReached(update, report);
      });
      await flushDisks();
      const agent = await this.agentTrial.findNewAgent(work.run_id);
      if (agent !== null) {
        await update.advance({ step: 'trial', agent, health_runs: 0 });
      } else {
        // The boot loader first, then the journal: a power cut in between repeats the checks.
        await this.rebooting.commit(update.work);
        await update.advance({ step: 'commit' });
      }
    } catch (error) {
      if (error instanceof AgentStopping) throw error;
      await this.#rollBackAfter(update, error);
    }
  }

  /**
   * Waits until the server has recorded a report of the new version. A server that refuses the report for
   * good will never record one, which means nothing about the version: then a poll has to be answered as the
   * contract says. Past the deadline one last poll decides: a server that answers it, or that answers that
   * it cannot (5xx, 429, 401), is no fault of this version. No answer, and answers of something else, count
   * against it.
   * @throws {StepFailure}
   */
  async #requireServerReached({ log }: UpdateInProgress, { delivery }: Receipt): Promise<void> {
    const { deadline_seconds: limit } = this.config.commit;
    const waiting = new AbortController();
    const signal = AbortSignal.any([this.stopping, waiting.signal]);
    const reached = delivery.then(async ({ recorded, answer }) => {
      if (recorded) return 'the server has recorded a report of the new version';
      log.line(`the server refused the report: ${describeAnswer(answer)}`);
      await this.contact.waitUntilAnswered(signal);
      return 'the server has answered a poll of the new version';
    });
    reached.catch(() => undefined);
    const timeUp = pause(limit * 1000, signal).then(() => null);
    const how = await Promise.race([reached, timeUp]).finally(() => waiting.abort());
    if (how !== null) return log.line(how);
    const contact = await this.contact.check(this.stopping);
    if (contact.kind === 'none') {
      throw new StepFailure(
        `The new version is healthy, but in ${limit} seconds it did not reach the server, which the previous version did: ${contact.why}`,
      );
    }
    log.line(
      `the server answers, though it accepted no report in ${limit} seconds; the version stays`,
    );
  }

  /**
   * The step `trial`, where the update brings a new agent. Advances to `commit` or `restore`.
   * @throws {AgentHandoff} the launcher has to start the new agent
   */
  async tryNewAgent(update: UpdateInProgress): Promise<void> {
    const { agent } = update.work;
    if (agent === null) return this.rollBack(update, 'The journal does not name the new agent.');
    if (!(await this.#attempt(update, () => this.rebooting.requireNewSystem(update)))) return;
    const rejected = await this.agentTrial.conclude({ ...update.work, agent });
    if (rejected) return this.rollBack(update, rejected.failure);
    update.log.line(`the new agent ${agent.slice(0, 12)} works`);
    // The boot loader first, then the journal: a power cut in between repeats the trial.
    if (await this.#attempt(update, () => this.rebooting.commit(update.work))) {
      await update.advance({ step: 'commit' });
    }
  }

  /**
   * Rolls back when the action fails.
   * @returns whether it succeeded
   * @throws {AgentStopping | Deferred} the step is continued later
   */
  async #attempt(update: UpdateInProgress, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (error instanceof AgentStopping || error instanceof Deferred) throw error;
      await this.#rollBackAfter(update, error);
      return false;
    }
  }

  /** The step `commit`; may be repeated after a power cut. */
  async commit(update: UpdateInProgress): Promise<void> {
    const { config, journal } = this;
    const { run_id, deployment_id, previous_version: version, target_version } = update.work;
    const { component, sequence, manifest } = update.work;
    await recordInstallation(config, { manifest, component, version: target_version, sequence });
    if (config.keep_snapshot) {
      await withRoom(config.state_dir, () => markCommitted(update.snapshotDir));
      const owner = { run_id, deployment_id, ...namedComponent(component) };
      await journal.setKept({ ...owner, version, replaced_by: target_version });
    } else {
      for (const fault of await removeSnapshot(update.snapshotDir)) update.log.line(fault);
      await journal.setKept(null);
    }
    await update.decideEnd({
      status: 'completed',
      error_message: null,
      installed_version: target_version,
    });
  }

  /** Rolls back because the current step failed. */
  async #rollBackAfter(update: UpdateInProgress, error: unknown): Promise<void> {
    return this.rollBack(update, messageOf(error), failureCauseOf(error));
  }

  /**
   * Advances to `restore`, even when the journal cannot be written, as long as a restart would roll back from
   * the step on disk as well (`install`). From any other step it would not, and a rollback that is not in the
   * journal could end with the old files under the new version's name.
   */
  async rollBack(
    update: UpdateInProgress,
    reason: string,
    cause: FailureCause | null = null,
  ): Promise<void> {
    update.log.line(reason);
    const failure_cause = cause ?? UPDATE_STEPS[update.work.step].failureCause;
    const change = { step: 'restore', reason, failure_cause, health_runs: 0 } as const;
    try {
      await update.advance(change);
    } catch (error) {
      const step = await this.journal.stepOnDisk();
      if (!step || UPDATE_STEPS[step].afterPowerCut.action !== 'roll_back') throw error;
      logFault(this.logger, error, 'the journal cannot be written; rolling back anyway');
      update.replaceWork({ ...update.work, ...change });
    }
  }
}
