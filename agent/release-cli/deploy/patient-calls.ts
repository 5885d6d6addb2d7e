/** Calls of a server that may be away for a while: it is restarted, or the network is. */
import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../exit-codes.ts';
import { Refused, ServerAway } from './admin-api.ts';
import type { RolloutReport } from './rollout-report.ts';

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

export interface Patience {
  /** Without any answer of the server. */
  unreachableMs: number;
  /** Aborted when the command is asked to stop. */
  stop: AbortSignal;
}

/** Calls that are tried again as long as the server may come back. */
export class PatientCalls {
  readonly #plan: Patience;
  readonly #report: RolloutReport;
  /** Deployment to be named when it is given up. */
  reattach: string | null = null;

  constructor(plan: Patience, report: RolloutReport) {
    this.#plan = plan;
    this.#report = report;
  }

  /** @throws {UsageError} when there is no answer for too long */
  async call<T>(action: () => Promise<T>): Promise<T> {
    const { unreachableMs, stop } = this.#plan;
    const began = Date.now();
    let maybeDone = false;
    for (let wait = RETRY_MIN_MS; ; wait = Math.min(2 * wait, RETRY_MAX_MS)) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof ServerAway)) throw error;
        maybeDone ||= error.maybeDone;
        const left = unreachableMs - (Date.now() - began);
        if (left <= 0 || stop.aborted) {
          const hint = this.reattach
            ? ` The deployment goes on; look at it again with ota deploy --watch ${this.reattach}.`
            : maybeDone
              ? ' The deployment may have been created all the same: look for it in the list.'
              : ' Nothing was created.';
          throw new UsageError(`${error.message}.${hint}`, EXIT.serverUnreachable);
        }
        const pause = Math.min(error.retryAfter ?? wait, left);
        this.#report.trouble(`${error.message}; trying again in ${Math.ceil(pause / 1000)} s`);
        await delay(pause, undefined, { signal: stop }).catch(() => undefined);
      }
    }
  }
  /**
   * An action whose answer got lost may have been done: then its refusal the next time is no failure.
   * @param isDone looks at what is there
   */
  async act(action: () => Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> {
    let uncertain = false;
    await this.call(async () => {
      try {
        await action();
      } catch (error) {
        if (error instanceof ServerAway) uncertain ||= error.maybeDone;
        if (!(uncertain && error instanceof Refused && (await isDone()))) throw error;
      }
    });
  }
}
