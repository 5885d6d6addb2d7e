/** `ota-agent run`: one cycle after the other, until the agent has to stop. */
import type { Logger } from 'pino';
import { AgentHandoff, AgentStopping, messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/waiting.ts';
import { logFault } from '../../logging/logger.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { pollDelay, pollDelayAfterFailure } from '../network/poll-delay.ts';
import type { Outbox } from '../reports/outbox.ts';
import type { LiveCredentials } from '../state/live-credentials.ts';
import { noteCycle } from './cycle-note.ts';
import type { Cycle, CycleResult } from './cycle.ts';

export class PollLoop {
  constructor(
    private readonly config: AgentConfig,
    private readonly cycle: Cycle,
    private readonly outbox: Outbox,
    private readonly registration: LiveCredentials,
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * Rejects only with what no later cycle can fix.
   * @throws {AgentHandoff}
   */
  async run(): Promise<void> {
    const { logger } = this;
    let failures = 0;
    while (!this.stopping.aborted) {
      try {
        const { replaced } = this.registration;
        const result = await this.#runCycle();
        const succeeded = !('why' in result) || result.kind === 'deferred';
        failures = succeeded ? 0 : failures + 1;
        const delay = this.#delayAfter(result, failures);
        if ('why' in result) logger.warn(`${result.kind}: ${result.why}`);
        logger.debug({ result: result.kind, seconds: delay / 1000 }, 'waiting for the next poll');
        await noteCycle(this.config.state_dir, logger, result, new Date(Date.now() + delay));
        await this.#untilNextPoll(delay, replaced);
      } catch (error) {
        if (!(error instanceof AgentStopping) || error instanceof AgentHandoff) throw error;
      }
    }
  }

  async #runCycle(): Promise<CycleResult> {
    try {
      return await this.cycle.run();
    } catch (error) {
      if (error instanceof AgentStopping) throw error;
      logFault(this.logger, error, 'the cycle could not be finished');
      return { kind: 'unfinished', why: messageOf(error) };
    }
  }

  #delayAfter(result: CycleResult, failures: number): number {
    const { poll } = this.config;
    if (failures === 0) {
      return pollDelay(poll, 'pollAfter' in result ? result.pollAfter : undefined, Math.random());
    }
    const retryAfter = result.kind === 'no_answer' ? result.retryAfter : null;
    return pollDelayAfterFailure(poll, failures, retryAfter, Math.random());
  }

  /** A new registration of the device ends the wait: it may fix what kept the server from answering. */
  async #untilNextPoll(delay: number, replaced: AbortSignal): Promise<void> {
    try {
      await pause(delay, AbortSignal.any([this.stopping, replaced]));
    } catch (error) {
      if (!replaced.aborted || this.stopping.aborted) throw error;
      this.outbox.hurry();
    }
  }
}
