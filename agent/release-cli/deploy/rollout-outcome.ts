/** When a pipeline can stop watching a deployment, and with which outcome. Pure. */
import type { DeploymentDetail } from '../../../backend/contract/admin-api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

export type Outcome =
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'paused_by_failures'
  | 'awaiting_expansion'
  | 'still_running';

export const OUTCOME_EXIT: Record<Outcome, ExitCode> = {
  completed: EXIT.ok,
  failed: EXIT.failed,
  cancelled: EXIT.cancelled,
  paused_by_failures: EXIT.pausedByFailures,
  awaiting_expansion: EXIT.awaitingExpansion,
  still_running: EXIT.stillRunning,
};

type Seen = Pick<DeploymentDetail, 'status' | 'paused_reason' | 'phase' | 'progress'>;

/** `null`: it continues, or an admin paused it and will decide. */
export function outcomeOf(deployment: Seen): Outcome | null {
  switch (deployment.status) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return deployment.status;
    case 'paused':
      return deployment.paused_reason === 'failure_threshold' ? 'paused_by_failures' : null;
    case 'pending':
      return null;
    case 'in_progress':
      return deployment.phase === 'awaiting_expansion' ? 'awaiting_expansion' : null;
  }
}

/** Whether a canary may be expanded without anybody's decision: no device failed or rolled back. */
export function isHealthy({ progress }: Seen): boolean {
  return progress.failed === 0 && progress.rolled_back === 0 && progress.completed > 0;
}
