/** What one attempt tells the server, and whether the server still wants it. */
import type { StatusReport } from '../../../backend/contract/device-api.ts';
import { AttemptWithdrawn } from '../../kernel/errors.ts';
import type { HttpAnswer } from '../network/http-client.ts';
import { describeAnswer, receptionOf, withdraws } from '../network/answers.ts';
import { pause } from '../../kernel/waiting.ts';
import type { ServerApi } from '../network/server-api.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Outbox, Receipt } from './outbox.ts';

export interface Attempt {
  deployment_id: string;
  attempt: number;
}

/** `answered`: not by a server that has recorded the report. */
export type Heard = 'recorded' | 'answered' | 'silence';

export interface ReportContext {
  config: Pick<AgentConfig, 'reports' | 'download'>;
  outbox: Outbox;
  api: ServerApi;
  /** Aborted with `AgentStopping` when the agent has to stop. */
  stopping: AbortSignal;
}

export class AttemptReports {
  readonly #context: ReportContext;
  readonly #attempt: Attempt;
  readonly #withdrawal = new AbortController();
  /**
   * Aborted when the server withdraws the attempt (`AttemptWithdrawn`) or the agent has to stop
   * (`AgentStopping`). Of no meaning once `install.sh` may run.
   */
  readonly untouchedSignal: AbortSignal;

  constructor(context: ReportContext, { deployment_id, attempt }: Attempt) {
    this.#context = context;
    this.#attempt = { deployment_id, attempt };
    this.untouchedSignal = AbortSignal.any([context.stopping, this.#withdrawal.signal]);
  }

  /** Durable when it resolves; delivered some time. */
  send(report: StatusReport): Promise<Receipt> {
    return this.#add(report);
  }

  /**
   * Waits a limited time for the answer: a server that is away must not hold the device up.
   * @returns what came of it meanwhile
   * @throws the reason of {@link untouchedSignal}
   */
  async sendAndListen(report: StatusReport): Promise<Heard> {
    const { outbox } = this.#context;
    const answersBefore = outbox.answers;
    const { delivery } = await this.#add(report);
    const heard = delivery.then(({ recorded, answer }) => {
      this.#heed(answer);
      return recorded;
    });
    const waiting = new AbortController();
    const limit = this.#context.config.reports.wait_seconds * 1000;
    const signal = AbortSignal.any([this.untouchedSignal, waiting.signal]);
    const timeUp = pause(limit, signal).then(() => false);
    const recorded = await Promise.race([heard, timeUp]).finally(() => waiting.abort());
    this.untouchedSignal.throwIfAborted();
    if (recorded) return 'recorded';
    return outbox.answers > answersBefore || outbox.toldToWait ? 'answered' : 'silence';
  }

  /**
   * Tells now and then how far the download is. Not kept in the outbox: an old percentage is worth
   * nothing. The answers matter, though.
   */
  tellProgress(percent: () => number | null): { stop: () => Promise<void> } {
    const stopped = new AbortController();
    let sending: Promise<void> | null = null;
    const tick = (): void => {
      // Reports go in order: while older ones wait, this one has to.
      if (sending || this.#context.outbox.size > 0) return;
      sending = this.#sendProgress(percent(), stopped.signal).finally(() => (sending = null));
    };
    const interval = this.#context.config.download.progress_interval_seconds * 1000;
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
    const body: StatusReport = { status: 'downloading', attempt, ...progress };
    try {
      this.#heed(await this.#context.api.report(deployment_id, body, signal));
    } catch {
      // The next one may get through.
    }
  }

  #add(report: StatusReport): Promise<Receipt> {
    const { deployment_id, attempt } = this.#attempt;
    return this.#context.outbox.add({
      kind: 'status',
      deployment_id,
      body: { ...report, attempt },
    });
  }

  #heed(answer: HttpAnswer): void {
    const directive = (answer.body as { directive?: unknown } | undefined)?.directive;
    if (receptionOf('status', answer) === 'recorded' && directive === 'abort') {
      this.#withdrawal.abort(new AttemptWithdrawn('stopped because the server said so', true));
    } else if (withdraws(answer)) {
      const why = `stopped because the server refused the report: ${describeAnswer(answer)}`;
      this.#withdrawal.abort(new AttemptWithdrawn(why, false));
    }
  }
}
