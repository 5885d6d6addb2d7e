/** Names, payloads and ids of the jobs; what runs them stands in `workers.ts`. */

export const QUEUE_NAME = 'ota-rollout';

/** What each job carries. Payloads name things; the state is read from PostgreSQL. */
export interface JobPayloads {
  'release-batch': { deployment_id: string; batch: number };
  'skip-pending': { deployment_id: string };
  'retry-failed': { deployment_id: string };
  'scheduled-start': { deployment_id: string };
}

export type JobName = keyof JobPayloads;

/**
 * Jobs that the release before kept coming: its servers may still do so beside this one. What they were for
 * is done without the queue (`periodic-work.ts`).
 */
export const FORMER_PERIODIC_JOBS: readonly string[] = ['sweep-timeouts', 'reconcile'];

/** A deployment is started once; other jobs may be queued as often as somebody sees a reason. */
export function scheduledStartId(deploymentId: string): string {
  return `scheduled-start-${deploymentId}`;
}

/** A payload that can never be worked on; trying again would not help. */
export class UnusableJobError extends Error {
  constructor(name: string, detail: string) {
    super(`job ${name} cannot be worked on: ${detail}`);
    this.name = 'UnusableJobError';
  }
}
