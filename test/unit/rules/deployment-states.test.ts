import { expect } from 'chai';

import {
  DEPLOYMENT_ACTIONS,
  DEPLOYMENT_STATUSES,
  ROLLOUT_STRATEGIES,
  type DeploymentAction,
  type DeploymentStatus,
} from '../../../backend/contract/states.ts';
import {
  allowedActions,
  isFinishedDeployment,
  isAllowed,
  stateAfter,
  type ActionContext,
} from '../../../backend/deployments/rules/deployment-states.ts';

/** The state that each action leads to. Actions without one are not allowed. */
const TABLE: Record<DeploymentStatus, Partial<Record<DeploymentAction, DeploymentStatus>>> = {
  pending: { start: 'in_progress', cancel: 'cancelled' },
  in_progress: {
    pause: 'paused',
    cancel: 'cancelled',
    expand: 'in_progress',
    retry: 'in_progress',
  },
  paused: { resume: 'in_progress', cancel: 'cancelled', retry: 'paused' },
  completed: {},
  failed: { retry: 'in_progress' },
  cancelled: {},
};

/** A situation in which only the status can prevent an action. */
function situation(status: DeploymentStatus): ActionContext {
  return { status, strategy: 'canary', unreleased: 5, failed: 1 };
}

describe('deployment states', () => {
  for (const status of DEPLOYMENT_STATUSES) {
    for (const action of DEPLOYMENT_ACTIONS) {
      const next = TABLE[status][action];
      it(`${status}: ${action} ${next ? `leads to ${next}` : 'is not allowed'}`, () => {
        expect(isAllowed(action, situation(status))).to.equal(next !== undefined);
        if (next) expect(stateAfter(action, status)).to.equal(next);
      });
    }

    it(`${status}: lists the allowed actions`, () => {
      expect(allowedActions(situation(status))).to.have.members(Object.keys(TABLE[status]));
    });
  }

  it('expand needs a canary with unreleased targets', () => {
    for (const strategy of ROLLOUT_STRATEGIES) {
      for (const unreleased of [0, 1]) {
        const now = { ...situation('in_progress'), strategy, unreleased };
        expect(isAllowed('expand', now), `${strategy}, ${unreleased} unreleased`).to.equal(
          strategy === 'canary' && unreleased === 1,
        );
      }
    }
  });

  it('retry needs a failed target', () => {
    for (const status of DEPLOYMENT_STATUSES) {
      expect(isAllowed('retry', { ...situation(status), failed: 0 })).to.equal(false);
    }
  });

  it('completed, failed and cancelled are final', () => {
    const ended = DEPLOYMENT_STATUSES.filter(isFinishedDeployment);
    expect(ended).to.have.members(['completed', 'failed', 'cancelled']);
  });
});
