/** The agent at work: one cycle after the other, each from what the journal says. */
import { type AgentParts } from '../updates/agent-parts.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import { acceptRollback, carryOutRollback } from '../updates/commanded-rollback.ts';
import { AgentHandingOver, AgentStopping, NotNow, messageOf } from '../../kernel/errors.ts';
import { logFault } from '../../logging/logger.ts';
import { RestoreIncomplete } from '../updates/going-back.ts';
import type { HttpAnswer } from '../network/http-client.ts';
import type { ActiveUpdate, EndReport } from '../state/journal.ts';
import { type AcceptableOffer, readPollAnswer } from '../network/offer.ts';
import { describeAnswer } from '../network/answers.ts';
import { pause } from '../../kernel/waiting.ts';
import { pollDelay, pollDelayAfterFailure } from '../network/poll-delay.ts';
import { carryOutUpdate } from '../updates/update.ts';
import { endReportBody, removeUnused } from '../updates/work-end.ts';

/** How long a poll waits for older reports to leave first. */
const REPORTS_FIRST_MS = 2000;

export type CycleResult =
  | { kind: 'idle' | 'withdrawn'; pollAfter: number | undefined }
  | { kind: 'ended'; end: EndReport; pollAfter: number | undefined }
  /** Work is open and will be continued by the next cycle. */
  | { kind: 'deferred' | 'unfinished'; why: string }
  | { kind: 'no_answer'; why: string; retryAfter: number | null };

/**
 * Cycles until the agent is told to stop; rejects never for what a later cycle could put right.
 * @throws {AgentHandingOver}
 */
export async function runForEver(
  parts: AgentParts,
  onCycle: (result: CycleResult, nextPollAt: Date) => Promise<void>,
): Promise<void> {
  const { config, logger, stopping } = parts;
  let failures = 0;
  while (!stopping.aborted) {
    try {
      const { replaced } = parts.registration;
      const result = await runCycleSafely(parts);
      const fine = !('why' in result) || result.kind === 'deferred';
      failures = fine ? 0 : failures + 1;
      const delay = fine
        ? pollDelay(
            config.poll,
            'pollAfter' in result ? result.pollAfter : undefined,
            Math.random(),
          )
        : pollDelayAfterFailure(
            config.poll,
            failures,
            result.kind === 'no_answer' ? result.retryAfter : null,
            Math.random(),
          );
      if ('why' in result) logger.warn(`${result.kind}: ${result.why}`);
      logger.debug({ result: result.kind, seconds: delay / 1000 }, 'waiting for the next poll');
      await onCycle(result, new Date(Date.now() + delay));
      await untilNextPoll(delay, replaced, parts);
    } catch (error) {
      if (!(error instanceof AgentStopping) || error instanceof AgentHandingOver) throw error;
    }
  }
}

/** Waits, but not once the device has been registered again: what kept the server from answering may be over. */
async function untilNextPoll(
  delay: number,
  replaced: AbortSignal,
  { outbox, stopping }: AgentParts,
): Promise<void> {
  try {
    await pause(delay, AbortSignal.any([stopping, replaced]));
  } catch (error) {
    if (!replaced.aborted || stopping.aborted) throw error;
    outbox.hurry();
  }
}

async function runCycleSafely(parts: AgentParts): Promise<CycleResult> {
  try {
    return await runCycle(parts);
  } catch (error) {
    if (error instanceof AgentStopping) throw error;
    logFault(parts.logger, error, 'the cycle could not be finished');
    return { kind: 'unfinished', why: messageOf(error) };
  }
}

/**
 * Continues what is open, or polls and carries out what the server wants.
 * @throws {AgentStopping}
 */
export async function runCycle(parts: AgentParts): Promise<CycleResult> {
  try {
    const { active } = parts.journal.state;
    if (active) {
      const end =
        active.kind === 'update'
          ? await carryOutUpdate(parts, active)
          : await carryOutRollback(parts, active);
      return end ? { kind: 'ended', end, pollAfter: 0 } : { kind: 'withdrawn', pollAfter: 0 };
    }
    await removeUnused(parts);
    await parts.outbox.drained(REPORTS_FIRST_MS);
    return await poll(parts);
  } catch (error) {
    if (error instanceof NotNow) return { kind: 'deferred', why: error.message };
    if (error instanceof RestoreIncomplete) return { kind: 'unfinished', why: error.message };
    throw error;
  }
}

async function poll(parts: AgentParts): Promise<CycleResult> {
  const { config, api, outbox, logger, stopping } = parts;
  const currentVersion = await readCurrentVersion(config);
  let answer: HttpAnswer;
  try {
    answer = await api.checkUpdate(currentVersion, stopping);
  } catch (error) {
    stopping.throwIfAborted();
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
  const wish = readPollAnswer(answer.body);
  if (wish.kind !== 'unusable') outbox.hurry();
  switch (wish.kind) {
    case 'nothing':
      return { kind: 'idle', pollAfter: wish.pollAfter };
    case 'unusable': {
      if (!wish.attempt) {
        const why = `the answer to the poll is not one of Ops-Center: ${wish.faults}`;
        return { kind: 'no_answer', why, retryAfter: answer.retryAfter };
      }
      logger.error(`the server's offer is not understood: ${wish.faults}`);
      const end: EndReport = {
        status: 'failed',
        error_message: `The offer cannot be carried out: ${wish.faults}`,
        installed_version: currentVersion,
      };
      await reportEnd(parts, wish.attempt, end);
      return { kind: 'ended', end, pollAfter: undefined };
    }
    case 'rollback': {
      const { order, pollAfter } = wish;
      // The end of an earlier order is still on its way; this may be that same order.
      if (outbox.hasMessagesFor(order.deployment_id)) return { kind: 'idle', pollAfter };
      const accepted = await acceptRollback(parts, order);
      const end = 'end' in accepted ? accepted.end : await carryOutRollback(parts, accepted.work);
      return { kind: 'ended', end, pollAfter };
    }
    case 'offer':
      return considerOffer(parts, wish.offer, wish.pollAfter, currentVersion);
  }
}

async function considerOffer(
  parts: AgentParts,
  offer: AcceptableOffer,
  pollAfter: number | undefined,
  currentVersion: string | null,
): Promise<CycleResult> {
  const { journal, outbox, logger } = parts;
  const finished = journal.findFinished(offer.deployment_id, offer.attempt);
  if (finished) {
    logger.info({ deployment: offer.deployment_id, attempt: offer.attempt }, 'ended already');
    if (!outbox.hasMessagesFor(offer.deployment_id)) await reportEnd(parts, offer, finished.end);
    return { kind: 'ended', end: finished.end, pollAfter };
  }
  const work: ActiveUpdate = {
    kind: 'update',
    run_id: `${offer.deployment_id}-${offer.attempt}`,
    deployment_id: offer.deployment_id,
    attempt: offer.attempt,
    step: 'download',
    target_version: offer.target_version,
    previous_version: currentVersion,
    package_url: offer.package_url,
    checksum: offer.checksum,
    manifest: offer.manifest,
    signature: offer.signature,
    sequence: null,
    agent: null,
    starts: 0,
    fetched_bytes: 0,
    reason: null,
    health_runs: 0,
    restore_failures: 0,
    end: null,
  };
  logger.info(
    { deployment: work.deployment_id, attempt: work.attempt, version: work.target_version },
    'update offered',
  );
  await journal.setActive(work);
  const end = await carryOutUpdate(parts, work);
  return end ? { kind: 'ended', end, pollAfter } : { kind: 'withdrawn', pollAfter };
}

async function reportEnd(
  { outbox }: AgentParts,
  { deployment_id, attempt }: { deployment_id: string; attempt: number },
  end: EndReport,
): Promise<void> {
  const body = endReportBody(attempt, end);
  await outbox.add({ kind: 'status', deployment_id, body });
}
