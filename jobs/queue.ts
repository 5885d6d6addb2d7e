/** Names, payloads and ids of the jobs; what runs them stands in `workers.ts`. */

export const QUEUE_NAME = 'ota-rollout';

/** What each job carries. Payloads name things; the state is read from PostgreSQL. */
export interface JobPayloads {
  'release-batch': { deployment_id: string; batch: number };
  'pass-gate': { deployment_id: string };
  'skip-pending': { deployment_id: string };
  'scheduled-start': { deployment_id: string };
  'sweep-timeouts': Record<string, never>;
  reconcile: Record<string, never>;
}

export type JobName = keyof JobPayloads;

/** Jobs that come again by themselves; their ids are their names. */
export const PERIODIC_JOBS = ['sweep-timeouts', 'reconcile'] as const;
export type PeriodicJob = (typeof PERIODIC_JOBS)[number];

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
