/** Watches a deployment: woken by its event stream, which need not be complete. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TargetView } from '../../../backend/contract/admin-api.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { AdminApi } from './admin-api.ts';
import type { RetryingClient } from './retrying-client.ts';
import { OUTCOME_EXIT, type Outcome, isHealthy, outcomeOf } from './rollout-outcome.ts';
import type { RolloutReport } from './rollout-report.ts';

/** Between two requests, however many events there are, and without any. */
const REFRESH_MIN_MS = 500;
const REFRESH_MAX_MS = 10_000;
const REOPEN_MS = 2_000;
/** Number of failed devices that are named at the end. */
const NAMED_DEVICES = 10;

export interface WatchPlan {
  /** Percentage a healthy canary is expanded to; `null`: never. */
  expand: number | null;
  /** How long a canary's first share has to stay healthy before it is expanded. */
  canaryWaitMs: number;
  /** For the whole watch. */
  timeoutMs: number;
  /** Aborted when the command has to stop. */
  stop: AbortSignal;
}

/**
 * Watches until the deployment finishes, needs a decision, or time is up; expands a healthy canary where the
 * plan has that.
 */
export async function watchRollout(
  api: AdminApi,
  id: string,
  plan: WatchPlan,
  retrying: RetryingClient,
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
      const deployment = await retrying.call(() => api.detail(id));
      report.progress(deployment);
      let outcome = outcomeOf(deployment);
      const isWaiting = outcome === 'awaiting_expansion' && !over.aborted;
      if (isWaiting && expand !== null && isHealthy(deployment)) {
        healthySince ??= Date.now();
        if (Date.now() - healthySince >= canaryWaitMs) {
          const percentage = expand;
          await retrying.act(
            () => api.expand(id, percentage),
            async () => outcomeOf(await api.detail(id)) !== 'awaiting_expansion',
          );
          report.expanded(id, percentage);
          // Only once: expanding again after a smaller share is somebody's decision.
          expand = null;
          healthySince = null;
        }
        outcome = null;
      }
      if (outcome === null && over.aborted) outcome = 'still_running';
      if (outcome !== null) {
        report.ended(outcome, deployment, await failedDevices(api, id, outcome, retrying));
        return OUTCOME_EXIT[outcome];
      }
      const untilExpansion =
        healthySince === null ? Infinity : healthySince + canaryWaitMs - Date.now();
      await bell.rung(REFRESH_MIN_MS, Math.min(REFRESH_MAX_MS, untilExpansion), over);
    }
  } finally {
    plan.stop.removeEventListener('abort', endWatch);
    clearTimeout(timer);
    endWatch();
  }
}

async function failedDevices(
  api: AdminApi,
  id: string,
  outcome: Outcome,
  retrying: RetryingClient,
): Promise<TargetView[]> {
  if (outcome === 'completed' || outcome === 'still_running') return [];
  const failed = await retrying.call(() => api.targets(id, 'failed', NAMED_DEVICES));
  const back = await retrying.call(() => api.targets(id, 'rolled_back', NAMED_DEVICES));
  return [...failed.devices, ...back.devices].slice(0, NAMED_DEVICES);
}

/** Rings for every event of the stream; a broken stream is opened again. */
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
      // The requests find out whether the server is reachable.
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

  /** Resolves when it rings, or rang since the last time; not before `min`, at the latest after `max`. */
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
