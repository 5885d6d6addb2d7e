import { expect } from 'chai';
import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { isHealthy, outcomeOf } from '../../agent/release-cli/deploy/rollout-outcome.ts';

type Observed = Parameters<typeof outcomeOf>[0];

function observed(change: Partial<DeploymentDetail>): Observed {
  return {
    status: 'in_progress',
    paused_reason: null,
    phase: 'rolling_out',
    progress: { completed: 1, failed: 0, rolled_back: 0 },
    ...change,
  } as Observed;
}

describe('the outcome of a rollout that ota deploy watches', () => {
  const waiting = { phase: 'awaiting_expansion' } as const;
  const CASES: [string, Observed, ReturnType<typeof outcomeOf>][] = [
    ['completed', observed({ status: 'completed' }), 'completed'],
    ['failed', observed({ status: 'failed' }), 'failed'],
    ['cancelled', observed({ status: 'cancelled' }), 'cancelled'],
    ['not started', observed({ status: 'pending' }), null],
    ['in progress', observed({}), null],
    ['paused by an admin', observed({ status: 'paused', paused_reason: 'admin' }), null],
    [
      'paused by failures',
      observed({ status: 'paused', paused_reason: 'failure_threshold' }),
      'paused_by_failures',
    ],
    ['a canary whose first share is updating', observed({ phase: 'canary_running' }), null],
    ['a canary whose first share has finished', observed(waiting), 'awaiting_expansion'],
    [
      'a canary that an admin paused',
      observed({ ...waiting, status: 'paused', paused_reason: 'admin' }),
      null,
    ],
  ];
  for (const [what, deployment, outcome] of CASES) {
    it(`is ${outcome ?? 'still open'} if it is ${what}`, () => {
      expect(outcomeOf(deployment)).to.equal(outcome);
    });
  }

  it('is healthy if devices completed and none failed or rolled back', () => {
    const progress = { completed: 2, failed: 0, rolled_back: 0 } as DeploymentDetail['progress'];
    expect(isHealthy(observed({ progress }))).to.equal(true);
    expect(isHealthy(observed({ progress: { ...progress, failed: 1 } }))).to.equal(false);
    expect(isHealthy(observed({ progress: { ...progress, rolled_back: 1 } }))).to.equal(false);
    expect(isHealthy(observed({ progress: { ...progress, completed: 0 } }))).to.equal(false);
  });
});
