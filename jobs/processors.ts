import Joi from 'joi';
import type { RolloutJobs } from '../backend/deployments/rollout-jobs.ts';
import type { RolloutService } from '../backend/deployments/rollout.service.ts';
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

function deploymentOf(name: JobName, payload: unknown): string {
  const { error, value } = deploymentPayload.validate(payload);
  if (error) throw new UnusableJobError(name, error.message);
  return value.deployment_id;
}
