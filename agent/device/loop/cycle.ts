/** One cycle of the agent: continues open work, or polls and carries out what the server wants. */
import type { Logger } from 'pino';
import { Deferred, messageOf } from '../../kernel/errors.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { describeAnswer } from '../network/answers.ts';
import type { HttpAnswer } from '../network/http-client.ts';
import { type AcceptableOffer, readPollAnswer } from '../network/offer.ts';
import type { DeviceDescription, ServerApi } from '../network/server-api.ts';
import type { Outbox } from '../reports/outbox.ts';
import { componentOf, readVersionOf } from '../state/components.ts';
import {
  type ActiveUpdate,
  type EndReport,
  type Journal,
  UNSTARTED_UPDATE,
} from '../state/journal.ts';
import type { Cleanup } from '../updates/cleanup.ts';
import { endReportBody } from '../updates/end-report.ts';
import type { RequestedRollback } from '../updates/requested-rollback.ts';
import { RestoreFailed } from '../updates/restoration.ts';
import type { UpdateDriver } from '../updates/update-driver.ts';

/** How long a poll waits for older reports to be delivered first. */
const REPORTS_FIRST_MS = 2000;

export type CycleResult =
  | { kind: 'idle' | 'cancelled'; pollAfter: number | undefined }
  | { kind: 'ended'; end: EndReport; pollAfter: number | undefined }
  /** Work is open; the next cycle continues it. */
  | { kind: 'deferred' | 'unfinished'; why: string }
  | { kind: 'no_answer'; why: string; retryAfter: number | null };

export class Cycle {
  constructor(
    private readonly config: AgentConfig,
    private readonly journal: Journal,
    private readonly outbox: Outbox,
    private readonly api: ServerApi,
    private readonly describe: () => Promise<DeviceDescription>,
    private readonly updates: UpdateDriver,
    private readonly rollbacks: RequestedRollback,
    private readonly cleanup: Cleanup,
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  /** @throws {AgentStopping} */
  async run(): Promise<CycleResult> {
    try {
      const { active } = this.journal.state;
      if (active) {
        const end =
          active.kind === 'update'
            ? await this.updates.carryOut(active)
            : await this.rollbacks.carryOut(active);
        return resultOf(end, 0);
      }
      await this.cleanup.removeUnused();
      await this.outbox.drained(REPORTS_FIRST_MS);
      return await this.#poll();
    } catch (error) {
      if (error instanceof Deferred) return { kind: 'deferred', why: error.message };
      if (error instanceof RestoreFailed) return { kind: 'unfinished', why: error.message };
      throw error;
    }
  }

  async #poll(): Promise<CycleResult> {
    const description = await this.describe();
    let answer: HttpAnswer;
    try {
      answer = await this.api.checkUpdate(description, this.stopping);
    } catch (error) {
      this.stopping.throwIfAborted();
      return { kind: 'no_answer', why: messageOf(error), retryAfter: null };
    }
    if (answer.status !== 200) {
      const hint =
        answer.status === 401 || answer.status === 403
          ? ' (is the device still registered? ota-agent register --force renews it)'
          : '';
      const why = `${describeAnswer(answer)}${hint}`;
      return { kind: 'no_answer', why, retryAfter: answer.retryAfter };
    }
    const wanted = readPollAnswer(answer.body);
    if (wanted.kind !== 'unusable') this.outbox.hurry();
    switch (wanted.kind) {
      case 'nothing':
        return { kind: 'idle', pollAfter: wanted.pollAfter };
      case 'unusable': {
        if (!wanted.attempt) {
          const why = `the answer to the poll is not from Ops-Center: ${wanted.faults}`;
          return { kind: 'no_answer', why, retryAfter: answer.retryAfter };
        }
        this.logger.error(`the server's offer is invalid: ${wanted.faults}`);
        const end: EndReport = {
          status: 'failed',
          error_message: `The offer is invalid: ${wanted.faults}`,
          installed_version: description.currentVersion,
          failure_cause: 'other',
        };
        await this.#reportEnd(wanted.attempt, end);
        return { kind: 'ended', end, pollAfter: undefined };
      }
      case 'rollback': {
        const { order, pollAfter } = wanted;
        // The report of an earlier rollback is not delivered yet; this may be that same order.
        if (this.outbox.hasMessagesFor(order.deployment_id)) return { kind: 'idle', pollAfter };
        const accepted = await this.rollbacks.accept(order);
        const end = 'end' in accepted ? accepted.end : await this.rollbacks.carryOut(accepted.work);
        return { kind: 'ended', end, pollAfter };
      }
      case 'offer':
        return this.#considerOffer(wanted.offer, wanted.pollAfter);
    }
  }

  async #considerOffer(
    offer: AcceptableOffer,
    pollAfter: number | undefined,
  ): Promise<CycleResult> {
    const { deployment_id, attempt, target_version } = offer;
    const finished = this.journal.findFinished(deployment_id, attempt);
    if (finished) {
      this.logger.info({ deployment: deployment_id, attempt }, 'finished already');
      if (!this.outbox.hasMessagesFor(deployment_id)) await this.#reportEnd(offer, finished.end);
      return { kind: 'ended', end: finished.end, pollAfter };
    }
    let installed: Pick<ActiveUpdate, 'component' | 'previous_version'>;
    try {
      installed = await this.#installedBefore(offer);
    } catch (error) {
      const end: EndReport = {
        status: 'failed',
        error_message: `What is installed is unknown, so nothing was changed: ${messageOf(error)}`,
        installed_version: null,
        failure_cause: 'other',
      };
      await this.#reportEnd(offer, end);
      return { kind: 'ended', end, pollAfter };
    }
    const work: ActiveUpdate = {
      ...UNSTARTED_UPDATE,
      ...offer,
      ...installed,
      run_id: `${deployment_id}-${attempt}`,
      step: 'download',
    };
    this.logger.info(
      { deployment: deployment_id, attempt, version: target_version },
      'update offered',
    );
    await this.journal.setActive(work);
    return resultOf(await this.updates.carryOut(work), pollAfter);
  }

  /** Which product the offer is for, and its installed version. */
  async #installedBefore({
    manifest,
  }: AcceptableOffer): Promise<Pick<ActiveUpdate, 'component' | 'previous_version'>> {
    const component = await componentOf(this.config, manifest);
    return { component, previous_version: await readVersionOf(this.config, component) };
  }

  async #reportEnd(
    { deployment_id, attempt }: { deployment_id: string; attempt: number },
    end: EndReport,
  ): Promise<void> {
    const body = endReportBody(attempt, end);
    await this.outbox.add({ kind: 'status', deployment_id, body });
  }
}

function resultOf(end: EndReport | null, pollAfter: number | undefined): CycleResult {
  return end ? { kind: 'ended', end, pollAfter } : { kind: 'cancelled', pollAfter };
}
