/** Follows a deployment: woken by its event stream, and never trusting it to be complete. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TargetView } from '../../backend/contract/admin-api.ts';
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
  const over = AbortSignal.any([plan.stop, AbortSignal.timeout(plan.timeoutMs)]);
  const bell = new Bell();
  const following = follow(api, id, bell, over);
  const { canaryWaitMs } = plan;
  let { expand } = plan;
  let healthySince: number | null = null;
  try {
    for (;;) {
      const deployment = await patient.call(() => api.detail(id));
      report.progress(deployment);
      let outcome = outcomeOf(deployment);
      if (outcome === 'awaiting_expansion' && expand !== null && isHealthy(deployment)) {
        healthySince ??= Date.now();
        if (Date.now() - healthySince >= canaryWaitMs) {
          const percentage = expand;
          await patient.act(
            () => api.expand(id, percentage),
            async () => (await api.detail(id)).phase !== 'awaiting_expansion',
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
    following.abort();
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
function follow(api: AdminApi, id: string, bell: Bell, over: AbortSignal): AbortController {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, over]);
  void (async () => {
    while (!signal.aborted) {
      try {
        for await (const _ of api.changes(id, signal)) bell.ring();
      } catch {
        // Whether the server is there at all is found out by looking, not by listening.
      }
      await delay(REOPEN_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  return stop;
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
      const stop = new AbortController();
      const heard = new Promise<void>((resolve) => (this.#answer = resolve));
      const late = delay(Math.max(0, max - min), undefined, {
        signal: AbortSignal.any([over, stop.signal]),
      });
      await Promise.race([heard, late.catch(() => undefined)]);
      stop.abort();
    }
    this.#rung = false;
  }
}
