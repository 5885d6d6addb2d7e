import { expect } from 'chai';
import fc from 'fast-check';

import {
  DEPLOYMENT_STATUSES,
  TARGET_STATUSES,
  UPDATING_TARGET_STATUSES,
} from '../../backend/contract/states.ts';
import { decidePoll, type OpenTarget } from '../../backend/devices/poll-decision.ts';

/** A released pending target of a running deployment; `day` says how new the deployment is. */
function target(day: number, some: Partial<OpenTarget> = {}): OpenTarget {
  return {
    deploymentId: `deployment of day ${day}`,
    status: 'pending',
    attempt: 1,
    position: 3,
    rollbackVersion: null,
    deploymentStatus: 'in_progress',
    releasedDevices: 10,
    createdAt: new Date(Date.UTC(2026, 0, day)),
    ...some,
  };
}

describe('what a device gets when it asks', () => {
  const paused = { deploymentStatus: 'paused' } as const;
  const TABLE: [name: string, targets: OpenTarget[], kind: string, of?: number][] = [
    ['nothing for it', [], 'none'],
    ['a released update', [target(1)], 'update', 1],
    ['an update that is not released yet', [target(1, { position: 10 })], 'none'],
    [
      'the first target of a release',
      [target(1, { position: 0, releasedDevices: 1 })],
      'update',
      1,
    ],
    ['the newest of several', [target(1), target(3), target(2)], 'update', 3],
    ['the newest is not released yet', [target(1), target(2, { position: 10 })], 'update', 1],
    ['an update it has begun, again', [target(1, { status: 'installing' })], 'update', 1],
    ['begun comes before newer', [target(1, { status: 'downloading' }), target(2)], 'update', 1],
    ['paused: nothing new', [target(1, paused)], 'none'],
    ['paused: nothing begun', [target(1, { ...paused, status: 'downloading' })], 'held', 1],
    [
      'begun and paused keeps a newer one away',
      [target(1, { ...paused, status: 'installing' }), target(2)],
      'held',
      1,
    ],
    [
      'begun and cancelled ends first',
      [target(1, { deploymentStatus: 'cancelled', status: 'installing' }), target(2)],
      'idle',
      1,
    ],
    ['not started', [target(1, { deploymentStatus: 'pending', releasedDevices: 0 })], 'none'],
    ['a rollback', [target(1, { status: 'completed', rollbackVersion: 'v1' })], 'rollback', 1],
    [
      'a rollback before any update',
      [target(1, { status: 'completed', rollbackVersion: 'v1' }), target(2)],
      'rollback',
      1,
    ],
    [
      'a rollback before an update it has begun',
      [target(1, { status: 'failed', rollbackVersion: 'v1' }), target(2, { status: 'installing' })],
      'rollback',
      1,
    ],
    [
      'a rollback, even though the deployment is paused',
      [target(1, { ...paused, status: 'failed', rollbackVersion: 'v1' })],
      'rollback',
      1,
    ],
    [
      'a rollback, even though the deployment has ended',
      [target(1, { deploymentStatus: 'completed', status: 'completed', rollbackVersion: 'v1' })],
      'rollback',
      1,
    ],
  ];

  for (const [name, targets, kind, of] of TABLE) {
    it(name, () => {
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

  it('is only ever an update of a running deployment that was released to it', () => {
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

  it('does not depend on the order in which the database answers', () => {
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
