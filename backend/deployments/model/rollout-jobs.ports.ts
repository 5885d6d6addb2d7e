import { token } from '../../kernel/token.ts';

/**
 * Enqueues jobs. A job only triggers work; it reads the current state from the database. It may be lost or run twice.
 * The reconciler does the work of lost jobs (docs/decisions/reconciler-without-jobs.md).
 */
export interface RolloutJobs {
  /** Throws `queue_unavailable` if jobs cannot be enqueued now. */
  assertAvailable(): Promise<void>;
  /** Releases the batch of the deployment that is due. */
  releaseBatch(deploymentId: string, batch: number): Promise<void>;
  /** Skips the pending targets of a cancelled deployment. */
  skipPending(deploymentId: string): Promise<void>;
  /** Continues a retry of failed targets. */
  retryFailed(deploymentId: string): Promise<void>;
  /** Starts a deployment at its scheduled time. */
  startAt(deploymentId: string, at: Date): Promise<void>;
}
export const RolloutJobs = token<RolloutJobs>('RolloutJobs');
