import { expect } from 'chai';
import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { isHealthy, outcomeOf } from '../../agent/release-cli/deploy/rollout-outcome.ts';

type Seen = Parameters<typeof outcomeOf>[0];

function seen(change: Partial<DeploymentDetail>): Seen {
  return {
    status: 'in_progress',
    paused_reason: null,
    phase: 'rolling_out',
    progress: { completed: 1, failed: 0, rolled_back: 0 },
    ...change,
  } as Seen;
}

describe('ota deploy: the outcome of what is seen', () => {
  const waiting = { phase: 'awaiting_expansion' } as const;
  const CASES: [string, Seen, ReturnType<typeof outcomeOf>][] = [
    ['completed', seen({ status: 'completed' }), 'completed'],
    ['failed', seen({ status: 'failed' }), 'failed'],
    ['cancelled', seen({ status: 'cancelled' }), 'cancelled'],
    ['not started', seen({ status: 'pending' }), null],
    ['under way', seen({}), null],
    ['paused by an admin', seen({ status: 'paused', paused_reason: 'admin' }), null],
    [
      'paused by failures',
      seen({ status: 'paused', paused_reason: 'failure_threshold' }),
      'paused_by_failures',
    ],
    ['a canary whose first share is updating', seen({ phase: 'canary_running' }), null],
    ['a canary whose first share has finished', seen(waiting), 'awaiting_expansion'],
    [
      'a canary that an admin paused',
      seen({ ...waiting, status: 'paused', paused_reason: 'admin' }),
      null,
    ],
  ];
  for (const [what, deployment, outcome] of CASES) {
    it(`${what}: ${outcome ?? 'goes on'}`, () => {
      expect(outcomeOf(deployment)).to.equal(outcome);
    });
  }

  it('a share is well when devices have the new version and none failed or went back', () => {
    const progress = { completed: 2, failed: 0, rolled_back: 0 } as DeploymentDetail['progress'];
    expect(isHealthy(seen({ progress }))).to.equal(true);
    expect(isHealthy(seen({ progress: { ...progress, failed: 1 } }))).to.equal(false);
    expect(isHealthy(seen({ progress: { ...progress, rolled_back: 1 } }))).to.equal(false);
    expect(isHealthy(seen({ progress: { ...progress, completed: 0 } }))).to.equal(false);
  });
});
