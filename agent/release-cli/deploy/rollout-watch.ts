/** Follows a deployment: woken by its event stream, and never trusting it to be complete. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TargetView } from '../../../backend/contract/admin-api.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { AdminApi } from './admin-api.ts';
import type { PatientCalls } from './patient-calls.ts';
import { OUTCOME_EXIT, type Outcome, isHealthy, outcomeOf } from './rollout-outcome.ts';
import type { RolloutReport } from './rollout-report.ts';

/** Between two looks, however many events there are, and with none at all. */
const LOOK_AGAIN_MIN_MS = 500;
const LOOK_AGAIN_MAX_MS = 10_000;
const REOPEN_MS = 2_000;
/** Failed devices that are named at the end. */
const NAMED_DEVICES = 10;

export interface WatchPlan {
  /** Percentage a healthy canary is expanded to; `null`: never. */
  expand: number | null;
  /** How long a canary's first share has to stay well before it is expanded. */
  canaryWaitMs: number;
  /** For the whole watch. */
  timeoutMs: number;
  /** Aborted when the command is asked to stop. */
  stop: AbortSignal;
}

/**
 * Looks until the deployment ends, needs a decision, or time is over; expands a healthy canary if the
 * plan says so.
 */
export async function watchRollout(
  api: AdminApi,
  id: string,
  plan: WatchPlan,
  patient: PatientCalls,
  report: RolloutReport,
): Promise<ExitCode> {
  // Not AbortSignal.any with AbortSignal.timeout: Node 20 may collect the latter before its time.
  const end = new AbortController();
  const over = end.signal;
  const endWatch = (): void => end.abort();
  const timer = setTimeout(endWatch, plan.timeoutMs);
  if (plan.stop.aborted) endWatch();
  plan.stop.addEventListener('abort', endWatch);
  const bell = new Bell();
  void ringForChanges(api, id, bell, over);
  const { canaryWaitMs } = plan;
  let { expand } = plan;
  let healthySince: number | null = null;
  try {
    for (;;) {
      const deployment = await patient.call(() => api.detail(id));
      report.progress(deployment);
      let outcome = outcomeOf(deployment);
      const waits = outcome === 'awaiting_expansion' && !over.aborted;
      if (waits && expand !== null && isHealthy(deployment)) {
        healthySince ??= Date.now();
        if (Date.now() - healthySince >= canaryWaitMs) {
          const percentage = expand;
          await patient.act(
            () => api.expand(id, percentage),
            async () => outcomeOf(await api.detail(id)) !== 'awaiting_expansion',
          );
          report.expanded(id, percentage);
          // Once: what is left after a smaller share is somebody's decision.
          expand = null;
          healthySince = null;
        }
        outcome = null;
      }
      if (outcome === null && over.aborted) outcome = 'still_running';
      if (outcome !== null) {
        report.ended(outcome, deployment, await unwellDevices(api, id, outcome, patient));
        return OUTCOME_EXIT[outcome];
      }
      const untilExpansion =
        healthySince === null ? Infinity : healthySince + canaryWaitMs - Date.now();
      await bell.rung(LOOK_AGAIN_MIN_MS, Math.min(LOOK_AGAIN_MAX_MS, untilExpansion), over);
    }
  } finally {
    plan.stop.removeEventListener('abort', endWatch);
    clearTimeout(timer);
    endWatch();
  }
}

async function unwellDevices(
  api: AdminApi,
  id: string,
  outcome: Outcome,
  patient: PatientCalls,
): Promise<TargetView[]> {
  if (outcome === 'completed' || outcome === 'still_running') return [];
  const failed = await patient.call(() => api.targets(id, 'failed', NAMED_DEVICES));
  const back = await patient.call(() => api.targets(id, 'rolled_back', NAMED_DEVICES));
  return [...failed.devices, ...back.devices].slice(0, NAMED_DEVICES);
}

/** Rings for every change the event stream tells of; a stream that breaks is opened again. */
async function ringForChanges(
  api: AdminApi,
  id: string,
  bell: Bell,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    try {
      for await (const _ of api.changes(id, over)) bell.ring();
    } catch {
      // Whether the server is there at all is found out by looking, not by listening.
    }
    await delay(REOPEN_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

class Bell {
  #rung = false;
  #answer: () => void = () => undefined;

  ring(): void {
    this.#rung = true;
    this.#answer();
  }

  /** Resolves when it rings, or rang since the last time; never before `min`, at the latest after `max`. */
  async rung(min: number, max: number, over: AbortSignal): Promise<void> {
    await delay(min, undefined, { signal: over }).catch(() => undefined);
    if (!this.#rung && !over.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.#answer(), Math.max(0, max - min));
        this.#answer = () => {
          clearTimeout(timer);
          over.removeEventListener('abort', this.#answer);
          resolve();
        };
        over.addEventListener('abort', this.#answer);
      });
    }
    this.#rung = false;
  }
}
