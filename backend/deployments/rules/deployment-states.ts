import type { DeploymentAction, DeploymentStatus, RolloutStrategy } from '../../contract/states.ts';

/** The state table of docs/contract.md, States: action → states it is possible in. */
const POSSIBLE_IN: Record<DeploymentAction, readonly DeploymentStatus[]> = {
  start: ['pending'],
  pause: ['in_progress'],
  resume: ['paused'],
  cancel: ['pending', 'in_progress', 'paused'],
  expand: ['in_progress'],
  retry: ['in_progress', 'paused', 'failed'],
};

const LEADS_TO: Record<DeploymentAction, (from: DeploymentStatus) => DeploymentStatus> = {
  start: () => 'in_progress',
  pause: () => 'paused',
  resume: () => 'in_progress',
  cancel: () => 'cancelled',
  expand: (from) => from,
  retry: (from) => (from === 'failed' ? 'in_progress' : from),
};

/** What decides whether an action is possible. */
export interface ActionContext {
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  /** Targets of batches that are neither released nor asked for. */
  unreleased: number;
  /** Targets that a retry would take up again. */
  failed: number;
}

/** Actions possible now, in the order an admin meets them. */
export function allowedActions(situation: ActionContext): DeploymentAction[] {
  return (Object.keys(POSSIBLE_IN) as DeploymentAction[]).filter((action) =>
    isAllowed(action, situation),
  );
}

export function isAllowed(action: DeploymentAction, situation: ActionContext): boolean {
  if (!POSSIBLE_IN[action].includes(situation.status)) return false;
  if (action === 'expand') return situation.strategy === 'canary' && situation.unreleased > 0;
  if (action === 'retry') return situation.failed > 0;
  return true;
}

/** The state an allowed action leads to. */
export function stateAfter(action: DeploymentAction, from: DeploymentStatus): DeploymentStatus {
  return LEADS_TO[action](from);
}

/** States in which a deployment has ended for good, unless failed targets are retried. */
export function isFinishedDeployment(status: DeploymentStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
