import Joi from 'joi';
import type { RolloutService } from '../backend/deployments/rollout/rollout.service.ts';
import type { Telemetry } from '../backend/observability/telemetry.ports.ts';
import type { PeriodicTask } from './periodic-work.ts';
import { InvalidJobError, type JobName } from './queue.ts';

/** One function per job: it parses the payload and calls a service. Throws {@link InvalidJobError}. */
export type JobProcessors = Record<JobName, (payload: unknown) => Promise<void>>;

const deploymentPayload = Joi.object<{ deployment_id: string }>({
  deployment_id: Joi.string().guid().required(),
}).unknown();

export function createProcessors(rollout: RolloutService): JobProcessors {
  return {
    'release-batch': (payload) => rollout.releaseBatch(deploymentOf('release-batch', payload)),
    'skip-pending': (payload) => rollout.skipPending(deploymentOf('skip-pending', payload)),
    'retry-failed': (payload) => rollout.retryFailed(deploymentOf('retry-failed', payload)),
    'scheduled-start': (payload) =>
      rollout.startScheduled(deploymentOf('scheduled-start', payload)),
  };
}

/** Wraps processors to record the outcome and duration of each job. */
export function instrumentProcessors(
  processors: JobProcessors,
  telemetry: Telemetry,
): JobProcessors {
  const entries = Object.entries(processors).map(([name, work]) => [
    name,
    (payload: unknown) => recorded(name, telemetry, () => work(payload)),
  ]);
  return Object.fromEntries(entries) as JobProcessors;
}

/** Wraps a task to record the outcome and duration of each run. */
export function instrumentTask(task: PeriodicTask, telemetry: Telemetry): PeriodicTask {
  return { ...task, run: () => recorded(task.name, telemetry, () => task.run()) };
}

async function recorded(
  name: string,
  telemetry: Telemetry,
  work: () => Promise<void>,
): Promise<void> {
  const startedAt = performance.now();
  let outcome: 'done' | 'failed' = 'failed';
  try {
    await work();
    outcome = 'done';
  } finally {
    telemetry.jobFinished(name, outcome, (performance.now() - startedAt) / 1_000);
  }
}

function deploymentOf(name: JobName, payload: unknown): string {
  const { error, value } = deploymentPayload.validate(payload);
  if (error) throw new InvalidJobError(name, error.message);
  return value.deployment_id;
}
