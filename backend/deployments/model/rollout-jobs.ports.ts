import { token } from '../../kernel/token.ts';

/**
 * The queue as services see it: it says *when* to look, never *what is so*. Every call may be lost or
 * delivered twice; the reconciler finds whatever was lost.
 */
export interface RolloutJobs {
  /** Throws `queue_unavailable` when jobs cannot be handed over now. */
  assertAvailable(): Promise<void>;
  /** A batch of the deployment is due. */
  releaseBatch(deploymentId: string, batch: number): Promise<void>;
  /** Targets of a cancelled deployment are still to be skipped. */
  skipPending(deploymentId: string): Promise<void>;
  /** Failed targets of a retry are still to be retried. */
  retryFailed(deploymentId: string): Promise<void>;
  startAt(deploymentId: string, at: Date): Promise<void>;
}
export const RolloutJobs = token<RolloutJobs>('RolloutJobs');
