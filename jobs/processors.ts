import Joi from 'joi';
import type { RolloutService } from '../backend/deployments/rollout/rollout.service.ts';
import type { Telemetry } from '../backend/observability/telemetry.ports.ts';
import type { PeriodicTask } from './periodic-work.ts';
import { UnusableJobError, type JobName } from './queue.ts';

/** One function per job: parse the payload, call the service. */
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

/** The same processors, which tell how long each job took and how it ended. */
export function observed(processors: JobProcessors, telemetry: Telemetry): JobProcessors {
  const entries = Object.entries(processors).map(([name, work]) => [
    name,
    (payload: unknown) => timed(name, telemetry, () => work(payload)),
  ]);
  return Object.fromEntries(entries) as JobProcessors;
}

/** The same task, which tells that of every run. */
export function observedTask(task: PeriodicTask, telemetry: Telemetry): PeriodicTask {
  return { ...task, run: () => timed(task.name, telemetry, () => task.run()) };
}

async function timed(name: string, telemetry: Telemetry, work: () => Promise<void>): Promise<void> {
  const since = performance.now();
  let outcome: 'done' | 'failed' = 'failed';
  try {
    await work();
    outcome = 'done';
  } finally {
    telemetry.jobFinished(name, outcome, (performance.now() - since) / 1_000);
  }
}

function deploymentOf(name: JobName, payload: unknown): string {
  const { error, value } = deploymentPayload.validate(payload);
  if (error) throw new UnusableJobError(name, error.message);
  return value.deployment_id;
}
