import Joi from 'joi';
import type { RolloutJobs } from '../backend/deployments/rollout-jobs.ts';
import type { RolloutService } from '../backend/deployments/rollout.service.ts';
import type { Telemetry } from '../backend/observability/telemetry.ports.ts';
import { UnusableJobError, type JobName } from './queue.ts';

/** One function per job: parse the payload, call the service. */
export type JobProcessors = Record<JobName, (payload: unknown) => Promise<void>>;

const deploymentPayload = Joi.object<{ deployment_id: string }>({
  deployment_id: Joi.string().guid().required(),
}).unknown();

export function createProcessors(rollout: RolloutService, jobs: RolloutJobs): JobProcessors {
  return {
    'release-batch': (payload) => rollout.releaseBatch(deploymentOf('release-batch', payload)),
    'pass-gate': (payload) => rollout.passGate(deploymentOf('pass-gate', payload)),
    'skip-pending': (payload) => rollout.skipPending(deploymentOf('skip-pending', payload)),
    'scheduled-start': (payload) =>
      rollout.startScheduled(deploymentOf('scheduled-start', payload)),
    'sweep-timeouts': () => rollout.sweepTimeouts(),
    reconcile: () => rollout.reconcile(jobs),
  };
}

/** The same processors, which tell how long each job took and how it ended. */
export function observed(processors: JobProcessors, telemetry: Telemetry): JobProcessors {
  const entries = Object.entries(processors).map(([name, work]) => [
    name,
    async (payload: unknown): Promise<void> => {
      const since = performance.now();
      let outcome: 'done' | 'failed' = 'failed';
      try {
        await work(payload);
        outcome = 'done';
      } finally {
        telemetry.jobEnded(name, outcome, (performance.now() - since) / 1_000);
      }
    },
  ]);
  return Object.fromEntries(entries) as JobProcessors;
}

function deploymentOf(name: JobName, payload: unknown): string {
  const { error, value } = deploymentPayload.validate(payload);
  if (error) throw new UnusableJobError(name, error.message);
  return value.deployment_id;
}
