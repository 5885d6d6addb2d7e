import type { DeploymentAction } from '../../contract/states.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Batch, Deployment } from '../model/deployment.types.ts';
import { allowedActions } from './deployment-states.ts';
import { actionContextOf } from './figures.ts';

/** 409 `invalid_state` with the current state and the allowed actions (docs/contract.md, States). */
export function actionNotPossible(
  action: DeploymentAction,
  deployment: Deployment,
  batches: Batch[],
): DomainError {
  const possible = allowedActions(actionContextOf(deployment, batches));
  const list = possible.length > 0 ? ` Possible: ${possible.join(', ')}.` : '';
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}; ${action} is not possible. ${hintFor(action, deployment)}${list}`,
    { current_status: deployment.status, allowed_actions: possible },
  );
}

/** Why the action is not possible, or what to do instead. */
function hintFor(action: DeploymentAction, { status, strategy }: Deployment): string {
  if (status === 'cancelled' || status === 'completed') {
    return action === 'retry' || action === 'expand' || action === 'start'
      ? `It stays ${status}. Create a new deployment for the devices that need it (device_ids).`
      : 'It has finished.';
  }
  switch (action) {
    case 'start':
      return 'It was already started.';
    case 'pause':
      if (status === 'pending') return 'It has not started. Cancel it if it should not start.';
      return status === 'failed' ? 'It has finished.' : 'It is already paused.';
    case 'resume':
      return status === 'pending' ? 'Start it instead.' : 'It is not paused.';
    case 'cancel':
      return 'It has finished.';
    case 'expand':
      if (strategy !== 'canary') return 'Only canary deployments can be expanded.';
      if (status === 'paused') return 'Resume it first.';
      if (status === 'pending') return 'Start it first.';
      return 'All its devices are already released.';
    case 'retry':
      return 'None of its devices has failed.';
  }
}
