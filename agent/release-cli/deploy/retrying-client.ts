/** Calls of a server that may be unreachable for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../exit-codes.ts';
import { Refused, ServerUnavailable } from './admin-api.ts';
import type { RolloutReport } from './rollout-report.ts';

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

export interface RetryLimits {
  /** How long to retry without any answer from the server. */
  unreachableMs: number;
  /** Aborted when the command has to stop. */
  stop: AbortSignal;
}

/** Retries calls as long as the server may come back. */
export class RetryingClient {
  /** Id of the deployment, for the message when retrying is given up. */
  deploymentId: string | null = null;

  constructor(
    private readonly limits: RetryLimits,
    private readonly report: RolloutReport,
  ) {}

  /** @throws {UsageError} when there is no answer for too long */
  async call<T>(action: () => Promise<T>): Promise<T> {
    const { unreachableMs, stop } = this.limits;
    const began = Date.now();
    let maybeDone = false;
    for (let wait = RETRY_MIN_MS; ; wait = Math.min(2 * wait, RETRY_MAX_MS)) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof ServerUnavailable)) throw error;
        maybeDone ||= error.maybeDone;
        const left = unreachableMs - (Date.now() - began);
        if (left <= 0 || stop.aborted) {
          const hint = this.deploymentId
            ? ` The deployment continues; watch it again with ota deploy --watch ${this.deploymentId}.`
            : maybeDone
              ? ' The deployment may have been created anyway: look for it in the list.'
              : ' Nothing was created.';
          throw new UsageError(`${error.message}.${hint}`, EXIT.serverUnreachable);
        }
        const pause = Math.min(error.retryAfter ?? wait, left);
        this.report.trouble(`${error.message}; trying again in ${Math.ceil(pause / 1000)} s`);
        await delay(pause, undefined, { signal: stop }).catch(() => undefined);
      }
    }
  }

  /**
   * An action whose answer was lost may have been carried out: then its refusal at the next try is no failure.
   * @param isDone checks the current state
   */
  async act(action: () => Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> {
    let uncertain = false;
    await this.call(async () => {
      try {
        await action();
      } catch (error) {
        if (error instanceof ServerUnavailable) uncertain ||= error.maybeDone;
        if (!(uncertain && error instanceof Refused && (await isDone()))) throw error;
      }
    });
  }
}
