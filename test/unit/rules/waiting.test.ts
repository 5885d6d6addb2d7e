import { expect } from 'chai';
import fc from 'fast-check';

import {
  DEPLOYMENT_STATUSES,
  PAUSED_REASONS,
  ROLLOUT_STRATEGIES,
  TARGET_STATUSES,
  WAITING_REASONS,
} from '../../../backend/contract/states.ts';
import { decidePoll } from '../../../backend/deployments/rules/poll-decision.ts';
import { defaultPolicy } from '../../../backend/deployments/rules/rollout-policy.ts';
import { isFinished } from '../../../backend/deployments/rules/target-reports.ts';
import {
  explainWaiting,
  silenceLimitMs,
  type DeviceContact,
  type Waiting,
  type WaitingTarget,
} from '../../../backend/deployments/rules/waiting.ts';
import { openTarget } from '../../support/open-target.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const minutesAgo = (minutes: number): Date => new Date(NOW - minutes * 60_000);
const SILENCE_MS = silenceLimitMs(300);
const SEEN: DeviceContact = { lastPolledAt: minutesAgo(2), lastSeen: null, now: new Date(NOW) };

type Some = Partial<Omit<WaitingTarget, 'deployment'>> & {
  deployment?: Partial<WaitingTarget['deployment']>;
};

/** A released pending target of a rolling deployment in progress. A later `day` is a newer deployment. */
function target(day: number, { deployment, ...some }: Some = {}): WaitingTarget {
  return {
    ...openTarget(day),
    activity: null,
    startedAt: null,
    lastReportAt: null,
    releaseRequestedAt: minutesAgo(61),
    releasedAt: minutesAgo(60),
    deployment: {
      strategy: 'rolling',
      policy: defaultPolicy('rolling'),
      pausedReason: null,
      pausedAt: null,
      scheduledAt: null,
      startedAt: minutesAgo(90),
      resumedAt: null,
      completedAt: null,
      ...deployment,
    },
    ...some,
  };
}

const canary = { strategy: 'canary', policy: defaultPolicy('canary') } as const;
const unreleased = { position: 10, releaseRequestedAt: null, releasedAt: null };
const updating = {
  status: 'installing',
  startedAt: minutesAgo(9),
  lastReportAt: minutesAgo(4),
} as const;
const paused = (pausedReason: 'admin' | 'failure_threshold') => ({
  deploymentStatus: 'paused' as const,
  deployment: { pausedReason, pausedAt: minutesAgo(7) },
});

describe('what a target waits for', () => {
  const explain = (targets: WaitingTarget[], contact = SEEN) =>
    explainWaiting(targets, contact, SILENCE_MS);
  const explainFirst = (targets: WaitingTarget[], contact?: DeviceContact) =>
    explain(targets, contact).get(targets[0]!);

  type Row = [
    name: string,
    targets: WaitingTarget[],
    expected: Partial<Waiting<WaitingTarget>>,
    contact?: Partial<DeviceContact>,
  ];
  const older = target(1);
  const newer = target(2, { releasedAt: minutesAgo(20) });
  const begun = target(1, { ...updating });
  const held = target(1, { ...updating, ...paused('admin') });
  const rollback = target(1, { status: 'completed', rollbackVersion: 'v1' });
  const TABLE: Row[] = [
    [
      'a deployment that nobody has started',
      [target(1, { deploymentStatus: 'pending', releasedDevices: 0 })],
      { reason: 'deployment_not_started', since: new Date(Date.UTC(2026, 0, 1)), until: null },
    ],
    [
      'a scheduled deployment',
      [target(1, { deploymentStatus: 'pending', deployment: { scheduledAt: minutesAgo(-30) } })],
      { reason: 'scheduled', until: minutesAgo(-30) },
    ],
    [
      'a paused deployment',
      [target(1, paused('admin'))],
      { reason: 'paused', since: minutesAgo(7) },
    ],
    [
      'a deployment paused by failures',
      [target(1, paused('failure_threshold'))],
      { reason: 'failure_threshold', since: minutesAgo(7), until: null },
    ],
    ['a started update of a paused deployment', [held], { reason: 'paused', since: minutesAgo(7) }],
    [
      'a later batch',
      [target(1, unreleased)],
      { reason: 'batch', since: minutesAgo(90), until: null },
    ],
    [
      'the rest of a canary',
      [target(1, { ...unreleased, deployment: canary })],
      { reason: 'expansion', since: minutesAgo(90) },
    ],
    [
      'a batch of a canary that is being released',
      [target(1, { ...unreleased, releaseRequestedAt: minutesAgo(1), deployment: canary })],
      { reason: 'batch', since: minutesAgo(1) },
    ],
    [
      'a released update',
      [target(1)],
      { reason: 'offered', since: minutesAgo(60), until: minutesAgo(60 - 24 * 60) },
    ],
    [
      'a released update after a resume',
      [target(1, { deployment: { resumedAt: minutesAgo(5) } })],
      { reason: 'offered', since: minutesAgo(5), until: minutesAgo(5 - 24 * 60) },
    ],
    [
      'a released update without a pickup timeout',
      [target(1, { deployment: canary })],
      { reason: 'offered', until: null },
    ],
    [
      'an updating device',
      [begun],
      { reason: 'offered', since: minutesAgo(9), until: minutesAgo(4 - 60) },
    ],
    [
      'a rebooting device',
      [target(1, { ...updating, status: 'verifying', activity: 'rebooting' })],
      { reason: 'rebooting', since: minutesAgo(4), until: minutesAgo(4 - 60) },
      { lastPolledAt: minutesAgo(16) },
    ],
    [
      'a silent device',
      [target(1)],
      { reason: 'not_seen', since: minutesAgo(16), until: minutesAgo(60 - 24 * 60) },
      { lastPolledAt: minutesAgo(16), lastSeen: minutesAgo(500) },
    ],
    ['a device at the limit', [target(1)], { reason: 'offered' }, { lastPolledAt: minutesAgo(15) }],
    [
      'a device that only the host has heard of',
      [target(1)],
      { reason: 'offered' },
      { lastPolledAt: null, lastSeen: minutesAgo(3) },
    ],
    [
      'a device that was never heard of',
      [target(1)],
      { reason: 'not_seen', since: null },
      { lastPolledAt: null },
    ],
    [
      'a silent device in a later batch',
      [target(1, unreleased)],
      { reason: 'batch' },
      { lastPolledAt: null },
    ],
    [
      'an updating device that only reports',
      [begun],
      { reason: 'offered' },
      { lastPolledAt: minutesAgo(30) },
    ],
    [
      'an older update than another one',
      [older, newer],
      { reason: 'other_update', since: minutesAgo(20), other: newer },
    ],
    [
      'a newer update than a started one',
      [newer, begun],
      { reason: 'other_update', since: minutesAgo(9), other: begun },
    ],
    [
      'an update after a started one of a paused deployment',
      [newer, held],
      { reason: 'other_update', other: held },
    ],
    [
      'an update after a requested rollback',
      [newer, rollback],
      { reason: 'other_update', since: null, other: rollback },
    ],
    [
      'an older update than one that is not released',
      [older, target(2, unreleased)],
      { reason: 'offered' },
    ],
    [
      'a pending target of a cancelled deployment',
      [target(1, { deploymentStatus: 'cancelled', deployment: { completedAt: minutesAgo(3) } })],
      { reason: 'deployment_ended', since: minutesAgo(3), until: null },
    ],
    [
      'a started update of a cancelled deployment',
      [target(1, { ...updating, deploymentStatus: 'cancelled' })],
      { reason: 'deployment_ended', until: minutesAgo(4 - 60) },
    ],
    [
      'an update after a started one of a cancelled deployment',
      [newer, target(1, { ...updating, deploymentStatus: 'cancelled' })],
      { reason: 'offered' },
    ],
  ];

  for (const [name, targets, expected, contact = {}] of TABLE) {
    it(`${name} → ${expected.reason}`, () => {
      expect(explainFirst(targets, { ...SEEN, ...contact })).to.deep.include(expected);
    });
  }

  it('has a limit of silence of three polls, at least a quarter of an hour', () => {
    expect(silenceLimitMs(10)).to.equal(15 * 60_000);
    expect(silenceLimitMs(3_600)).to.equal(3 * 3_600_000);
  });

  const maybeTime = fc.option(fc.nat({ max: 60 }).map(minutesAgo), { nil: null });
  const anyTarget: fc.Arbitrary<WaitingTarget> = fc.record({
    deploymentId: fc.uuid(),
    status: fc.constantFrom(...TARGET_STATUSES),
    attempt: fc.integer({ min: 1, max: 3 }),
    position: fc.nat({ max: 4 }),
    rollbackVersion: fc.constantFrom(null, null, null, 'v1'),
    deploymentStatus: fc.constantFrom('in_progress' as const, ...DEPLOYMENT_STATUSES),
    releasedDevices: fc.nat({ max: 5 }),
    createdAt: fc.nat({ max: 3 }).map((day) => new Date(Date.UTC(2026, 0, day + 1))),
    activity: fc.constantFrom(null, 'rebooting' as const),
    startedAt: maybeTime,
    lastReportAt: maybeTime,
    releaseRequestedAt: maybeTime,
    releasedAt: maybeTime,
    deployment: fc.record({
      strategy: fc.constantFrom(...ROLLOUT_STRATEGIES),
      policy: fc.constantFrom(...ROLLOUT_STRATEGIES).map(defaultPolicy),
      pausedReason: fc.constantFrom(null, ...PAUSED_REASONS),
      pausedAt: maybeTime,
      scheduledAt: maybeTime,
      startedAt: maybeTime,
      resumedAt: maybeTime,
      completedAt: maybeTime,
    }),
  });
  const anyFleet = fc.tuple(
    fc.array(anyTarget, { maxLength: 5 }),
    fc.record({ lastPolledAt: maybeTime, lastSeen: maybeTime, now: fc.constant(new Date(NOW)) }),
  );

  /** What the device gets when it polls until it gets something, as `DeviceService` does. */
  function polled(targets: WaitingTarget[]): WaitingTarget | null {
    const decision = decidePoll(targets);
    if (decision.kind === 'idle') return polled(targets.filter((one) => one !== decision.target));
    return decision.kind === 'update' ? decision.target : null;
  }

  it('is the device itself exactly for the update that the next poll gets', () => {
    const reasons = new Set<string>();
    fc.assert(
      fc.property(anyFleet, ([targets, contact]) => {
        const explained = explain(targets, contact);
        const unfinished = targets.filter(({ status }) => !isFinished(status));
        expect([...explained.keys()]).to.deep.equal(unfinished);
        const next = polled(targets);
        for (const [one, { reason, other }] of explained) {
          reasons.add(reason);
          const isForDevice = ['offered', 'not_seen', 'rebooting'].includes(reason);
          expect(isForDevice).to.equal(one === next);
          expect(other !== null).to.equal(reason === 'other_update');
        }
      }),
      { numRuns: 10_000 },
    );
    expect([...reasons].sort()).to.deep.equal([...WAITING_REASONS].sort());
  });

  it('ends when the reason is removed', () => {
    const removed = (one: WaitingTarget, reason: string): WaitingTarget => {
      switch (reason) {
        case 'batch':
        case 'expansion':
          return { ...one, releasedDevices: one.position + 1 };
        case 'paused':
        case 'failure_threshold':
        case 'scheduled':
        case 'deployment_not_started':
          return { ...one, deploymentStatus: 'in_progress' };
        default:
          return one;
      }
    };
    fc.assert(
      fc.property(anyFleet, ([targets, contact]) => {
        for (const [one, { reason, other }] of explain(targets, contact)) {
          if (['offered', 'not_seen', 'rebooting', 'deployment_ended'].includes(reason)) continue;
          const changed = removed(one, reason);
          const without = targets
            .filter((target) => target !== other || target === one)
            .map((target) => (target === one ? { ...changed, rollbackVersion: null } : target));
          const after = explain(without, contact).get(
            without.find(({ deploymentId }) => deploymentId === one.deploymentId)!,
          );
          expect(after?.reason === reason && after.other === other).to.equal(false);
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
