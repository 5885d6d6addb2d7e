import { expect } from 'chai';
import fc from 'fast-check';

import {
  DEPLOYMENT_STATUSES,
  TARGET_STATUSES,
  UPDATING_TARGET_STATUSES,
} from '../../../backend/contract/states.ts';
import { decidePoll, type OpenTarget } from '../../../backend/deployments/rules/poll-decision.ts';
import { openTarget as target } from '../../support/open-target.ts';

describe('the answer to a poll', () => {
  const paused = { deploymentStatus: 'paused' } as const;
  const TABLE: [name: string, targets: OpenTarget[], kind: string, of?: number][] = [
    ['no open target', [], 'none'],
    ['a released update', [target(1)], 'update', 1],
    ['an update that is not released yet', [target(1, { position: 10 })], 'none'],
    [
      'the first target of a release',
      [target(1, { position: 0, releasedDevices: 1 })],
      'update',
      1,
    ],
    ['several updates: the newest', [target(1), target(3), target(2)], 'update', 3],
    [
      'the newest not released yet: the next one',
      [target(1), target(2, { position: 10 })],
      'update',
      1,
    ],
    ['a started update', [target(1, { status: 'installing' })], 'update', 1],
    [
      'a started update before a newer one',
      [target(1, { status: 'downloading' }), target(2)],
      'update',
      1,
    ],
    ['paused, pending', [target(1, paused)], 'none'],
    ['paused, started', [target(1, { ...paused, status: 'downloading' })], 'held', 1],
    [
      'paused and started, before a newer one',
      [target(1, { ...paused, status: 'installing' }), target(2)],
      'held',
      1,
    ],
    [
      'cancelled and started, before a newer one',
      [target(1, { deploymentStatus: 'cancelled', status: 'installing' }), target(2)],
      'idle',
      1,
    ],
    [
      'a deployment that is not started',
      [target(1, { deploymentStatus: 'pending', releasedDevices: 0 })],
      'none',
    ],
    ['a rollback', [target(1, { status: 'completed', rollbackVersion: 'v1' })], 'rollback', 1],
    [
      'a rollback before any update',
      [target(1, { status: 'completed', rollbackVersion: 'v1' }), target(2)],
      'rollback',
      1,
    ],
    [
      'a rollback before a started update',
      [target(1, { status: 'failed', rollbackVersion: 'v1' }), target(2, { status: 'installing' })],
      'rollback',
      1,
    ],
    [
      'a rollback in a paused deployment',
      [target(1, { ...paused, status: 'failed', rollbackVersion: 'v1' })],
      'rollback',
      1,
    ],
    [
      'a rollback in a finished deployment',
      [target(1, { deploymentStatus: 'completed', status: 'completed', rollbackVersion: 'v1' })],
      'rollback',
      1,
    ],
  ];

  for (const [name, targets, kind, of] of TABLE) {
    it(`${name} → ${kind}`, () => {
      const answer = decidePoll(targets);
      expect(answer.kind).to.equal(kind);
      if (answer.kind === 'none') return;
      expect(answer.target.deploymentId).to.equal(target(of ?? 0).deploymentId);
      if (answer.kind === 'rollback') expect(answer.version).to.equal('v1');
    });
  }

  const openTarget: fc.Arbitrary<OpenTarget> = fc.record({
    deploymentId: fc.uuid(),
    status: fc.constantFrom(...TARGET_STATUSES),
    attempt: fc.integer({ min: 1, max: 3 }),
    position: fc.nat({ max: 4 }),
    rollbackVersion: fc.constantFrom(null, null, null, 'v1'),
    deploymentStatus: fc.constantFrom(...DEPLOYMENT_STATUSES),
    releasedDevices: fc.nat({ max: 4 }),
    createdAt: fc.nat({ max: 3 }).map((day) => new Date(Date.UTC(2026, 0, day + 1))),
  });
  const openTargets = fc.array(openTarget, { maxLength: 5 });

  it('is an update only if the deployment is in progress and the target is released', () => {
    fc.assert(
      fc.property(openTargets, (targets) => {
        const answer = decidePoll(targets);
        if (answer.kind !== 'update') return;
        expect(answer.target.deploymentStatus).to.equal('in_progress');
        expect(answer.target.position).to.be.below(answer.target.releasedDevices);
        expect(answer.target.status).to.be.oneOf(['pending', ...UPDATING_TARGET_STATUSES]);
        expect(targets.every((one) => one.rollbackVersion === null)).to.equal(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('does not depend on the order of the targets', () => {
    fc.assert(
      fc.property(
        openTargets.chain((targets) =>
          fc.tuple(
            fc.constant(targets),
            fc.shuffledSubarray(targets, { minLength: targets.length }),
          ),
        ),
        ([targets, shuffled]) => {
          expect(decidePoll(shuffled)).to.deep.equal(decidePoll(targets));
        },
      ),
    );
  });
});
