import type { DeploymentAction } from '../../contract/states.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Batch, Deployment } from '../model/deployment.types.ts';
import { allowedActions } from './deployment-states.ts';
import { actionContextOf } from './figures.ts';

/** 409, naming the state and what it allows. */
export function actionNotPossible(
  action: DeploymentAction,
  deployment: Deployment,
  batches: Batch[],
): DomainError {
  const possible = allowedActions(actionContextOf(deployment, batches));
  const list = possible.length > 0 ? ` Possible: ${possible.join(', ')}.` : '';
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}; ${action} is not possible now. ${hintFor(action, deployment)}${list}`,
    { current_status: deployment.status, allowed_actions: possible },
  );
}

/** What an admin who wanted that does instead. */
function hintFor(action: DeploymentAction, { status, strategy }: Deployment): string {
  if (status === 'cancelled' || status === 'completed') {
    return action === 'retry' || action === 'expand' || action === 'start'
      ? `It stays ${status}: create a new deployment for the devices that are to get it (device_ids).`
      : 'It has ended.';
  }
  switch (action) {
    case 'start':
      return 'It has been started already.';
    case 'pause':
      if (status === 'pending') return 'Nothing has been sent yet: leave it, or cancel it.';
      return status === 'failed' ? 'It has ended.' : 'Nothing new is offered.';
    case 'resume':
      return status === 'pending' ? 'Start it.' : 'It is not paused.';
    case 'cancel':
      return 'It has ended.';
    case 'expand':
      if (strategy !== 'canary') return 'Only canary deployments are expanded.';
      if (status === 'paused') return 'Resume it first.';
      if (status === 'pending') return 'Start it first.';
      return 'Every device of it has been released.';
    case 'retry':
      return 'No device of it has failed.';
  }
}
