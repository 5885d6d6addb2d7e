/** Names, payloads and ids of the jobs. `workers.ts` runs them. */

export const QUEUE_NAME = 'ota-rollout';

/** Payloads contain only ids. Jobs read the current state from PostgreSQL. */
export interface JobPayloads {
  'release-batch': { deployment_id: string; batch: number };
  'skip-pending': { deployment_id: string };
  'retry-failed': { deployment_id: string };
  'scheduled-start': { deployment_id: string };
}

export type JobName = keyof JobPayloads;

/**
 * Periodic jobs of the previous release, which its servers may still enqueue during an upgrade. This release
 * does their work without the queue (`periodic-work.ts`).
 */
export const OBSOLETE_JOBS: readonly string[] = ['sweep-timeouts', 'reconcile'];

/** Job id that ensures one scheduled start per deployment. Other jobs may be enqueued repeatedly. */
export function scheduledStartId(deploymentId: string): string {
  return `scheduled-start-${deploymentId}`;
}

/** The payload of a job is invalid; a retry would not help. */
export class InvalidJobError extends Error {
  constructor(name: string, detail: string) {
    super(`invalid payload of job ${name}: ${detail}`);
    this.name = 'InvalidJobError';
  }
}
