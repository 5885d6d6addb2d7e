/** The reports of one attempt, and whether the server cancels it in an answer. */
import type { StatusReport } from '../../../backend/contract/device-api.ts';
import { AttemptCancelled } from '../../kernel/errors.ts';
import type { HttpAnswer } from '../network/http-client.ts';
import { describeAnswer, receptionOf, cancelsAttempt } from '../network/answers.ts';
import { pause } from '../../kernel/waiting.ts';
import type { ServerApi } from '../network/server-api.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { UPDATE_STEPS } from '../state/step-table.ts';
import type { Outbox, Receipt } from './outbox.ts';

export interface Attempt {
  deployment_id: string;
  attempt: number;
}

/** What came of a report within the time given. `answered`: not by a server that has recorded it. */
export type Reception = 'recorded' | 'answered' | 'unanswered';

/** How reports get to the server. */
export interface ReportChannel {
  config: Pick<AgentConfig, 'reports' | 'download'>;
  outbox: Outbox;
  api: Pick<ServerApi, 'report'>;
  /** Aborted with `AgentStopping` when the agent has to stop. */
  stopping: AbortSignal;
}

export class AttemptReports {
  readonly #attempt: Attempt;
  readonly #cancellation = new AbortController();
  /**
   * Aborted when the server cancels the attempt (`AttemptCancelled`) or the agent has to stop
   * (`AgentStopping`). To be ignored once `install.sh` may run.
   */
  readonly cancelSignal: AbortSignal;

  constructor(
    private readonly channel: ReportChannel,
    { deployment_id, attempt }: Attempt,
  ) {
    this.#attempt = { deployment_id, attempt };
    this.cancelSignal = AbortSignal.any([channel.stopping, this.#cancellation.signal]);
  }

  /** Durable when it resolves; delivered some time. */
  send(report: StatusReport): Promise<Receipt> {
    return this.#add(report);
  }

  /** Waits a limited time for the delivery, before the device goes down. The answer does not matter. */
  async sendBeforeReboot(report: StatusReport): Promise<void> {
    const { config, outbox } = this.channel;
    await this.#add(report);
    const waiting = new AbortController();
    const signal = AbortSignal.any([this.channel.stopping, waiting.signal]);
    const limit = config.reports.wait_seconds * 1000;
    const delivered = outbox.drained(limit);
    await Promise.race([delivered, pause(limit, signal)]).finally(() => waiting.abort());
  }

  /**
   * Waits a limited time for the answer: a server that is away must not block the device.
   * @throws the reason of {@link cancelSignal}
   */
  async sendAndAwait(report: StatusReport): Promise<Reception> {
    const { config, outbox } = this.channel;
    const answersBefore = outbox.answers;
    const { delivery } = await this.#add(report);
    const delivered = delivery.then(({ recorded, answer }) => {
      this.#cancelIfTold(answer);
      return recorded;
    });
    const waiting = new AbortController();
    const limit = config.reports.wait_seconds * 1000;
    const signal = AbortSignal.any([this.cancelSignal, waiting.signal]);
    const timeUp = pause(limit, signal).then(() => false);
    const recorded = await Promise.race([delivered, timeUp]).finally(() => waiting.abort());
    this.cancelSignal.throwIfAborted();
    if (recorded) return 'recorded';
    return outbox.answers > answersBefore || outbox.toldToWait ? 'answered' : 'unanswered';
  }

  /**
   * Reports the progress of the download at intervals. Not kept in the outbox: an old percentage is worth
   * nothing. The answers matter, though: one may cancel the attempt.
   */
  reportProgress(percent: () => number | null): { stop: () => Promise<void> } {
    const stopped = new AbortController();
    let sending: Promise<void> | null = null;
    const tick = (): void => {
      // Reports arrive in order: progress waits until older ones are delivered.
      if (sending || this.channel.outbox.size > 0) return;
      sending = this.#sendProgress(percent(), stopped.signal).finally(() => (sending = null));
    };
    const interval = this.channel.config.download.progress_interval_seconds * 1000;
    const timer = setInterval(tick, interval);
    return {
      stop: async () => {
        clearInterval(timer);
        stopped.abort();
        await sending;
      },
    };
  }

  async #sendProgress(percent: number | null, signal: AbortSignal): Promise<void> {
    const { deployment_id, attempt } = this.#attempt;
    const progress = percent === null ? {} : { progress: percent };
    const body: StatusReport = { status: UPDATE_STEPS.download.report, attempt, ...progress };
    try {
      this.#cancelIfTold(await this.channel.api.report(deployment_id, body, signal));
    } catch {
      // The next one may get through.
    }
  }

  #add(report: StatusReport): Promise<Receipt> {
    const { deployment_id, attempt } = this.#attempt;
    return this.channel.outbox.add({
      kind: 'status',
      deployment_id,
      body: { ...report, attempt },
    });
  }

  #cancelIfTold(answer: HttpAnswer): void {
    const directive = (answer.body as { directive?: unknown } | undefined)?.directive;
    if (receptionOf('status', answer) === 'recorded' && directive === 'abort') {
      this.#cancellation.abort(new AttemptCancelled('cancelled by the server', true));
    } else if (cancelsAttempt(answer)) {
      const why = `cancelled: the server refused the report: ${describeAnswer(answer)}`;
      this.#cancellation.abort(new AttemptCancelled(why, false));
    }
  }
}
