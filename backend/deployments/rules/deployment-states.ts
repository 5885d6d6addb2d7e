import type { DeploymentAction, DeploymentStatus, RolloutStrategy } from '../../contract/states.ts';

/** The state table of docs/contract.md, States: the states in which each action is possible. */
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

/** What an action depends on. */
export interface ActionContext {
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  /** Targets in batches whose release has not been requested. */
  unreleased: number;
  /** Targets that a retry would retry. */
  failed: number;
}

/** The actions that are possible now, in the order of the state table. */
export function allowedActions(context: ActionContext): DeploymentAction[] {
  return (Object.keys(POSSIBLE_IN) as DeploymentAction[]).filter((action) =>
    isAllowed(action, context),
  );
}

export function isAllowed(action: DeploymentAction, context: ActionContext): boolean {
  if (!POSSIBLE_IN[action].includes(context.status)) return false;
  if (action === 'expand') return context.strategy === 'canary' && context.unreleased > 0;
  if (action === 'retry') return context.failed > 0;
  return true;
}

/** The state that an allowed action leads to. */
export function stateAfter(action: DeploymentAction, from: DeploymentStatus): DeploymentStatus {
  return LEADS_TO[action](from);
}

/** Whether a deployment has finished; only a retry of failed targets can continue it. */
export function isFinishedDeployment(status: DeploymentStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
