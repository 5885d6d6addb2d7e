import { expect } from 'chai';
import fc from 'fast-check';
import type { StatusReport } from '../../../backend/contract/device-api.ts';
import {
  type DeviceActivity,
  type ReportedStatus,
  SKIP_REASONS,
  TARGET_STATUSES,
} from '../../../backend/contract/states.ts';
import type { Deployment, Target } from '../../../backend/deployments/model/deployment.types.ts';
import {
  deviceGone,
  deviceIdle,
  heartbeat,
  notPickedUp,
  reported,
  retried,
  rollbackFailed,
  superseded,
  timedOut,
} from '../../../backend/deployments/rules/target-changes.ts';
import { isFinished } from '../../../backend/deployments/rules/target-reports.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);

function deployment(change: Partial<Deployment> = {}): Deployment {
  return {
    id: 'deployment',
    organizationId: 'organization',
    name: 'Newer',
    targetVersion: 'v2.1.0',
    status: 'in_progress',
    policy: { device_timeout_minutes: 60, pickup_timeout_hours: 24 },
    ...change,
  } as Deployment;
}

function target(change: Partial<Target> = {}): Target {
  return {
    deploymentId: 'deployment',
    deviceId: 'device',
    position: 0,
    status: 'installing',
    attempt: 1,
    progress: 40,
    activity: null,
    previousVersion: 'v2.0.0',
    startedAt: minutesAgo(10),
    completedAt: null,
    lastReportAt: minutesAgo(5),
    errorMessage: null,
    failureCause: null,
    timedOut: false,
    skipReason: null,
    rollbackVersion: null,
    rollbackRequestedBy: null,
    rolledBackOnRequest: false,
    updateFinishedAt: null,
    ...change,
  };
}

describe('changes of a target', () => {
  const anyTarget = fc.constantFrom(...TARGET_STATUSES).chain((status) =>
    fc.record({
      status: fc.constant(status),
      activity: fc.constant(status === 'verifying' ? ('rebooting' as const) : null),
      failureCause: fc.constant(
        status === 'failed' || status === 'rolled_back' ? ('install' as const) : null,
      ),
      skipReason: status === 'skipped' ? fc.constantFrom(...SKIP_REASONS) : fc.constant(null),
      completedAt: fc.constant(isFinished(status) ? minutesAgo(1) : null),
      errorMessage: fc.option(fc.string()),
      rollbackVersion: fc.option(fc.constant('v1.0.0')),
      attempt: fc.integer({ min: 1, max: 50 }),
      lastReportAt: fc.option(fc.integer({ min: 0, max: 200 }).map(minutesAgo)),
      timedOut: fc.boolean(),
    }),
  );
  const anyDeployment = fc
    .constantFrom('pending', 'in_progress', 'paused', 'completed', 'failed', 'cancelled')
    .map((status) => deployment({ status: status as Deployment['status'] }));
  const CHANGES: Record<string, (before: Target, owner: Deployment) => Target | null> = {
    'a report of success': (before, owner) =>
      reported(before, owner, { status: 'completed' }, 'completed', NOW).next,
    'a report of failure': (before, owner) =>
      reported(before, owner, { status: 'failed' }, 'failed', NOW).next,
    'a report of a rollback': (before, owner) =>
      reported(before, owner, { status: 'rolled_back' }, 'rolled_back', NOW).next,
    'a report of a step': (before, owner) =>
      reported(before, owner, { status: 'verifying' }, 'verifying', NOW).next,
    'a time-out': (before, owner) => timedOut(before, owner, NOW)?.next ?? null,
    'a device that never polled': (before, owner) => notPickedUp(before, owner, NOW)?.next ?? null,
    'an idle device': (before, owner) => deviceIdle(before, owner, NOW),
    'a device that is gone': (before, owner) =>
      deviceGone(before, owner, NOW, 'removed')?.next ?? null,
    'a newer deployment': (before, owner) => superseded(before, owner, NOW),
    'a retry': (before) => retried(before),
  };

  for (const [what, change] of Object.entries(CHANGES)) {
    it(`${what} leaves a consistent target`, () => {
      fc.assert(
        fc.property(anyTarget, anyDeployment, (facts, owner) => {
          const before = target(facts);
          const copy = structuredClone(before);
          const after = change(before, owner);
          expect(before, 'the input is unchanged').to.deep.equal(copy);
          if (!after) return;
          expect(after.completedAt !== null, 'finished').to.equal(isFinished(after.status));
          if (after.status !== 'verifying') expect(after.activity, 'activity').to.equal(null);
          if (!['failed', 'rolled_back'].includes(after.status)) {
            expect(after.failureCause, 'failure cause').to.equal(null);
          }
          expect(after.skipReason !== null, 'reason').to.equal(after.status === 'skipped');
          if (after.status !== before.status && isFinished(after.status)) {
            expect(after.progress).to.equal(null);
          }
          expect([after.deviceId, after.deploymentId, after.position]).to.deep.equal([
            before.deviceId,
            before.deploymentId,
            before.position,
          ]);
        }),
      );
    });
  }

  it('a time-out follows the policy and ignores targets that reported or finished', () => {
    const after = (change: Partial<Target>) => timedOut(target(change), deployment(), NOW)?.next;
    expect(after({ lastReportAt: minutesAgo(61) })).to.include({
      status: 'failed',
      timedOut: true,
      errorMessage: 'no report for 60 minutes; last known step: installing',
    });
    expect(after({ lastReportAt: minutesAgo(59) })).to.equal(undefined);
    expect(after({ status: 'completed', lastReportAt: minutesAgo(99) })).to.equal(undefined);
    expect(after({ status: 'pending', lastReportAt: null })).to.equal(undefined);
  });

  it('only a pending target of a deployment in progress is skipped as not picked up', () => {
    const after = (change: Partial<Target>, status: Deployment['status'] = 'in_progress') =>
      notPickedUp(target(change), deployment({ status }), NOW)?.next.status;
    expect(after({ status: 'pending' })).to.equal('skipped');
    expect(after({ status: 'pending' }, 'paused')).to.equal(undefined);
    expect(after({ status: 'downloading' })).to.equal(undefined);
  });

  describe('a rebooting device', () => {
    const rebooting = target({ status: 'verifying', activity: 'rebooting' });
    const report = (status: ReportedStatus, activity?: DeviceActivity): StatusReport => ({
      status,
      ...(activity && { activity }),
    });

    for (const [what, after, activity] of [
      [
        'that begins to reboot',
        heartbeat(target({ status: 'verifying' }), report('verifying', 'rebooting'), NOW),
        'rebooting',
      ],
      [
        'that still reboots',
        heartbeat(rebooting, report('verifying', 'rebooting'), NOW),
        'rebooting',
      ],
      ['that checks health', heartbeat(rebooting, report('verifying'), NOW), null],
      [
        'that completes',
        reported(rebooting, deployment(), report('completed'), 'completed', NOW).next,
        null,
      ],
      [
        'that restarts the attempt',
        reported(rebooting, deployment(), report('downloading'), 'downloading', NOW).next,
        null,
      ],
      [
        'that reports it while it installs',
        reported(target(), deployment(), report('installing', 'rebooting'), 'installing', NOW).next,
        null,
      ],
      [
        'that polls during a pause',
        deviceIdle(rebooting, deployment({ status: 'paused' }), NOW),
        null,
      ],
    ] as const) {
      it(`${what} has the activity ${activity}`, () => {
        expect(after?.activity).to.equal(activity);
      });
    }
  });

  describe('the cause of a failure', () => {
    const failed = target({
      status: 'failed',
      completedAt: minutesAgo(3),
      failureCause: 'install',
    });

    for (const [what, after, cause] of [
      [
        'is the reported one',
        reported(
          target(),
          deployment(),
          { status: 'failed', failure_cause: 'space' },
          'failed',
          NOW,
        ).next,
        'space',
      ],
      [
        'is unknown if it is not reported',
        reported(target(), deployment(), { status: 'failed' }, 'failed', NOW).next,
        null,
      ],
      [
        'is ignored for a success',
        reported(
          target(),
          deployment(),
          { status: 'completed', failure_cause: 'space' },
          'completed',
          NOW,
        ).next,
        null,
      ],
      [
        'is kept by a requested rollback',
        reported(
          { ...failed, rollbackVersion: 'v2.0.0' },
          deployment(),
          { status: 'rolled_back' },
          'rolled_back',
          NOW,
        ).next,
        'install',
      ],
      [
        'is a timeout when the server gives up',
        timedOut(target({ lastReportAt: null }), deployment(), NOW)?.next,
        'timeout',
      ],
      [
        'is replaced by a late result',
        reported(
          target({ status: 'failed', timedOut: true, failureCause: 'timeout' }),
          deployment(),
          { status: 'completed' },
          'completed',
          NOW,
        ).next,
        null,
      ],
      ['is cleared by a retry', retried(failed), null],
    ] as const) {
      it(what, () => {
        expect(after?.failureCause).to.equal(cause);
      });
    }
  });

  it('an idle device is skipped after a cancel and kept alive during a pause', () => {
    const after = (status: Deployment['status'], change: Partial<Target> = {}) =>
      deviceIdle(target(change), deployment({ status }), NOW);
    expect(after('cancelled')).to.include({ status: 'skipped', skipReason: 'aborted' });
    expect(after('paused')).to.include({ status: 'installing', lastReportAt: NOW });
    expect(after('in_progress')).to.equal(null);
    expect(after('cancelled', { status: 'completed' })).to.equal(null);
  });

  it('a requested rollback keeps the error and the duration of the update', () => {
    const failed = target({
      status: 'failed',
      completedAt: minutesAgo(3),
      errorMessage: 'disk is full',
      rollbackVersion: 'v2.0.0',
    });
    const { next, installedVersion } = reported(
      failed,
      deployment(),
      { status: 'rolled_back' },
      'rolled_back',
      NOW,
    );
    expect(next).to.include({ errorMessage: 'disk is full', rolledBackOnRequest: true });
    expect(next.updateFinishedAt).to.deep.equal(minutesAgo(3));
    expect(installedVersion).to.equal('v2.0.0');
  });

  it('a rollback that fails repeatedly keeps the last reason only', () => {
    let now = target({ status: 'failed', errorMessage: 'disk is full' });
    for (const reason of ['one', 'two', 'three']) {
      now = rollbackFailed(now, deployment(), { status: 'failed', error_message: reason }).next;
    }
    expect(now.errorMessage).to.equal('rollback failed: three; before that: disk is full');
  });
});
