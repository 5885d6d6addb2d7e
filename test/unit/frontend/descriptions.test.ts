import { expect } from 'chai';
import type {
  BatchView,
  DeploymentDetail,
  StatusBreakdown,
} from '../../../backend/contract/admin-api.ts';
import { TARGET_STATUSES } from '../../../backend/contract/states.ts';
import { describeAction, expansionSize } from '../../../frontend/shared/describe-action.ts';
import { batchTrack } from '../../../frontend/detail/batch-track.ts';
import { describeActor, describeEvent } from '../../../frontend/detail/describe-event.ts';
import { describePhase } from '../../../frontend/detail/describe-phase.ts';
import { canRollBack } from '../../../frontend/target/target-actions.ts';
import { describeMissing } from '../../../frontend/wizard/describe-coverage.ts';
import { describePlan } from '../../../frontend/wizard/describe-plan.ts';
import { runningTotals } from '../../../frontend/detail/chart/running-totals.ts';
import { versionRows } from '../../../frontend/list/version-rows.ts';

function breakdown(counts: Partial<StatusBreakdown>): StatusBreakdown {
  const none = Object.fromEntries(TARGET_STATUSES.map((status) => [status, 0]));
  return { ...(none as StatusBreakdown), ...counts };
}

function batch(
  number: number,
  state: BatchView['state'],
  counts: Partial<StatusBreakdown>,
): BatchView {
  const status_breakdown = breakdown(counts);
  const size = Object.values(status_breakdown).reduce((sum, count) => sum + count, 0);
  return { number, size, state, released_at: null, status_breakdown };
}

const canary = {
  total_devices: 45,
  released_devices: 9,
  retryable_devices: 1,
  batches: [
    batch(1, 'running', { completed: 6, failed: 1, installing: 2 }),
    batch(2, 'planned', { pending: 36 }),
  ],
  progress: { in_progress: 2, pending: 36, failed: 1, rolled_back: 0 },
  status_breakdown: breakdown({ completed: 6, failed: 1, installing: 2, pending: 36 }),
  paused_reason: null,
} as unknown as DeploymentDetail;

describe('descriptions of actions', () => {
  it('name the number of affected devices', () => {
    expect(describeAction('start', canary, 0).button).to.equal('Start on 9 devices');
    expect(describeAction('cancel', canary, 0).button).to.equal('Cancel for 38 devices');
    expect(describeAction('retry', canary, 0).button).to.equal('Retry 1 device');
    expect(describeAction('expand', canary, 36).button).to.equal('Expand to 36 more devices');
    expect(describeAction('pause', canary, 0).sentences[0]).to.include(
      '2 updating devices will finish',
    );
  });

  it('G43 name devices that rolled back automatically beside those that failed', () => {
    const textOf = (failed: number, retryable: number) =>
      describeAction(
        'retry',
        { ...canary, status_breakdown: breakdown({ failed }), retryable_devices: retryable },
        0,
      ).sentences[0];
    expect(textOf(4, 6)).to.equal(
      '4 devices that failed and 2 devices that rolled back automatically are offered the update again, as a new attempt.',
    );
    expect(textOf(1, 1)).to.equal(
      '1 device that failed is offered the update again, as a new attempt.',
    );
    expect(textOf(0, 1)).to.equal(
      '1 device that rolled back automatically is offered the update again, as a new attempt.',
    );
  });

  it('G40 warn when a canary is expanded early, or after failures', () => {
    expect(describeAction('expand', canary, 36).warnings).to.deep.equal([
      '1 canary device failed or rolled back.',
      'This is early: 2 canary devices have not finished yet.',
    ]);
  });

  it('warn when a resume accepts failures beyond the threshold', () => {
    const stopped = { ...canary, paused_reason: 'failure_threshold' as const };
    expect(describeAction('resume', stopped, 0).warnings).to.have.length(1);
    expect(describeAction('resume', canary, 0).warnings).to.deep.equal([]);
  });

  const expansions: [number, number][] = [
    [100, 36],
    [50, 13],
    [21, 0],
    [20, 0],
    [1, 0],
  ];
  for (const [percentage, adds] of expansions) {
    it(`count ${adds} more devices for ${percentage} % of 45, of which 9 are released`, () => {
      expect(expansionSize(canary, percentage)).to.equal(adds);
    });
  }
});

describe('batch track', () => {
  const rolling = (states: BatchView['state'][], status = 'in_progress') =>
    ({
      status,
      rollout_strategy: 'rolling',
      batches: states.map((state, index) =>
        batch(index + 1, state, state === 'ended' ? { completed: 5 } : { pending: 5 }),
      ),
    }) as Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>;
  const waitReasons = (detail: Parameters<typeof batchTrack>[0]) =>
    batchTrack(detail, 8).map((item) => (item.kind === 'batch' ? item.waitReason : 'folded'));

  it('shows what each batch is waiting for', () => {
    expect(waitReasons(rolling(['ended', 'running', 'planned', 'planned']))).to.deep.equal([
      null,
      null,
      'Waiting for 5 devices of batch\u00a02',
      'After batch 3',
    ]);
    expect(waitReasons(rolling(['ended', 'planned'], 'in_progress'))).to.deep.equal([
      null,
      'Released next',
    ]);
    expect(waitReasons(rolling(['ended', 'planned'], 'paused'))[1]).to.equal(
      'Waiting for you to resume',
    );
    expect(waitReasons(rolling(['planned', 'planned'], 'pending'))[0]).to.equal(
      'Waiting to be started',
    );
    expect(waitReasons(rolling(['ended', 'planned'], 'cancelled'))[1]).to.equal(null);
    expect(
      waitReasons({ ...canary, status: 'in_progress', rollout_strategy: 'canary' })[1],
    ).to.equal('Waiting for you to expand');
  });

  it('folds batches far from the running one, and loses none', () => {
    for (const finished of [0, 1, 50, 98, 99, 100]) {
      const states = Array.from({ length: 100 }, (_, index) =>
        index < finished ? ('ended' as const) : index === finished ? 'running' : 'planned',
      );
      const items = batchTrack(rolling(states), 8);
      expect(items.length).to.be.at.most(9);
      const numbers = items.flatMap((item) =>
        item.kind === 'batch' ? [item.batch.number] : item.batches.map(({ number }) => number),
      );
      expect(numbers).to.deep.equal(states.map((_, index) => index + 1));
      const shown = items.flatMap((item) => (item.kind === 'batch' ? [item.batch.number] : []));
      expect(shown).to.include.members([Math.min(finished + 1, 100), 100]);
    }
  });
});

describe('descriptions of a phase', () => {
  const rolling = {
    ...canary,
    status: 'in_progress',
    phase: 'rolling_out',
    rollout_strategy: 'rolling',
    policy: { failure_threshold_percent: 25 },
  } as DeploymentDetail;
  const textOf = (changes: Partial<DeploymentDetail>) =>
    describePhase({ ...rolling, ...changes }, null).text;

  it('name the running batch', () => {
    expect(textOf({})).to.equal('Batch 1 of 2 is running: 2 devices updating, 36 waiting.');
    expect(textOf({ rollout_strategy: 'immediate' })).to.equal('2 devices updating, 36 waiting.');
  });

  it('G40 state the results of a finished canary', () => {
    const finished = (progress: object) =>
      textOf({
        phase: 'awaiting_expansion',
        progress: { ...rolling.progress, ...progress } as DeploymentDetail['progress'],
      });
    expect(finished({ completed: 9, failed: 0, rolled_back: 0 })).to.equal(
      'The canary has finished: 9 updated. You can now expand to the remaining 36 devices.',
    );
    expect(finished({ completed: 7, failed: 1, rolled_back: 1 })).to.equal(
      'The canary has finished: 7 updated, 2 failed or rolled back. ' +
        'Check the errors before you expand to the remaining 36 devices.',
    );
    expect(finished({ completed: 0, failed: 0, rolled_back: 0 })).to.include(
      'the update is still untested',
    );
  });

  it('say what the admin can do next', () => {
    expect(textOf({ phase: 'canary_running' })).to.equal(
      'The canary is running: 2 devices updating, 0 waiting. The remaining 36 devices wait until you expand.',
    );
    expect(textOf({ status: 'paused' })).to.include('until you resume');
    expect(textOf({ status: 'paused', paused_reason: 'failure_threshold' })).to.include(
      '1 device failed, more than 25 %',
    );
    expect(textOf({ status: 'pending' })).to.equal(
      'Ready. Start it to offer the update to 45 devices.',
    );
  });
});

describe('descriptions of a batch plan', () => {
  const preview = (...sizes: number[]) => ({
    matching_devices: sizes.reduce((sum, size) => sum + size, 0),
    batches: sizes.map((size, index) => ({ number: index + 1, size, release: 'start' as const })),
  });

  it('state the sizes of its batches', () => {
    expect(describePlan(preview(9, 36), 'canary')).to.equal('9 devices now, 36 after you expand');
    expect(describePlan(preview(1), 'canary')).to.include('1 device now');
    expect(describePlan(preview(12), 'immediate')).to.equal('All 12 devices when you start');
    expect(describePlan(preview(1), 'manual')).to.equal('1 device when you start');
    expect(describePlan(preview(5, 5, 2), 'rolling')).to.equal(
      '3 batches of 5 devices, one after the other (the last has 2)',
    );
    expect(describePlan(preview(), 'rolling')).to.include('No device matches');
  });
});

describe('descriptions of the kinds that a canary misses', () => {
  const coverage = (covered_kinds: number, kinds: number) => ({
    kinds,
    covered_kinds,
    missing: Array.from({ length: Math.min(10, kinds - covered_kinds) }, (_, index) => ({
      device_type: index === 0 ? null : 'pi',
      version: index === 0 ? null : `v1.${index}`,
      attributes: { site: index === 0 ? null : 'berlin' },
      count: index + 1,
    })),
    by_kind: [],
    has_other_kinds: false,
    percentage_for_all: 34,
  });

  it('name the first of them, and the percentage that covers all', () => {
    expect(describeMissing(coverage(3, 3))).to.equal(null);
    expect(describeMissing(coverage(1, 3))).to.equal(
      'Missing: unknown type on an unknown version, site not set (1 device), pi on v1.1, site berlin (2 devices). ' +
        'With 34 % it covers all of them.',
    );
    expect(describeMissing(coverage(1, 30))).to.include('(5 devices), 24 more. With');
  });
});

describe('descriptions of events', () => {
  it('contain the data of an event, except what has no label', () => {
    expect(describeEvent({ data: { batch: 2, devices: 36, span: { a: 1 } } })).to.equal(
      'batch 2 · 36 devices',
    );
    expect(
      describeEvent({ data: { reason: 'failure_threshold', failures: 4, threshold_percent: 25 } }),
    ).to.equal('4 devices failed, threshold 25 % · failure threshold exceeded');
    expect(describeEvent({ data: { completed: 8, failed: 1, pending: 0 } })).to.equal(
      '8 completed · 1 failed',
    );
  });

  it('G45 contain errors without terminal escape sequences', () => {
    const data = { error_message: '\u001b[31mE: disk\u001b[0m is full\r\n10%\r100%' };
    expect(describeEvent({ data })).to.equal('E: disk is full\n100%');
  });

  it('name the actor and the device', () => {
    const names = new Map([['d1', 'edge-1']]);
    const actor = (
      type: 'admin' | 'device' | 'system',
      name: string | null,
      device: string | null,
    ) => {
      const event = { actor: { type, id: 'x', name, address: null }, device_id: device };
      const { before, device: link, after } = describeActor(event, names);
      return before + (link ? `[${link.name}](${link.id})` : '') + after;
    };
    expect(actor('admin', 'Ada', 'd1')).to.equal('by Ada, on [edge-1](d1)');
    expect(actor('device', null, 'd1')).to.equal('by [edge-1](d1)');
    expect(actor('device', null, '0123456789')).to.equal('by [device 01234567](0123456789)');
    expect(actor('system', null, 'd1')).to.equal('by System, on [edge-1](d1)');
    expect(actor('system', null, null)).to.equal('by System');
    expect(actor('device', null, null)).to.equal('by Device');
  });
});

describe('rollback of one device', () => {
  const target = {
    status: 'completed',
    rollback_requested: null,
    current_version: 'v2.1.0',
    previous_version: 'v2.0.0',
    timed_out: false,
  } as const;
  const CASES: [string, Partial<Parameters<typeof canRollBack>[0]>, boolean][] = [
    ['an update that completed', {}, true],
    ['one that failed, on the new version', { status: 'failed' }, true],
    [
      'one that failed, on the version before',
      { status: 'failed', current_version: 'v2.0' },
      false,
    ],
    ['one that completed, and runs the version before', { current_version: '2.0.0' }, false],
    [
      'one that timed out, whatever its device runs',
      { status: 'failed', current_version: 'v2.0.0', timed_out: true },
      true,
    ],
    ['one whose version before is unknown', { previous_version: null }, true],
    ['one whose rollback was requested', { rollback_requested: 'v2.0.0' }, false],
    ['one that is pending', { status: 'pending' }, false],
    ['one that was skipped', { status: 'skipped' }, false],
    ['one that rolled back', { status: 'rolled_back' }, false],
  ];
  for (const [what, facts, offered] of CASES) {
    it(`G43 is ${offered ? 'offered' : 'not offered'} for ${what}`, () => {
      expect(canRollBack({ ...target, ...facts })).to.equal(offered);
    });
  }
});

describe('data of the charts', () => {
  it('adds up finished devices, from the start to the end', () => {
    const bucket = (at: string, completed: number, failed = 0) => ({
      at,
      completed,
      failed,
      rolled_back: 0,
    });
    const totals = runningTotals(
      [bucket('2026-01-01T00:02:00Z', 3), bucket('2026-01-01T00:05:00Z', 2, 1)],
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:09:00Z',
    );
    expect(
      totals.map(({ at, completed, failed }) => [at.slice(14, 16), completed, failed]),
    ).to.deep.equal([
      ['00', 0, 0],
      ['02', 3, 0],
      ['05', 5, 1],
      ['09', 5, 1],
    ]);
    expect(runningTotals([], '2026-01-01T00:00:00Z', '2026-01-01T00:09:00Z')).to.deep.equal([]);
  });

  it('orders versions within their type and combines the oldest of many', () => {
    const count = (device_type: string, version: string | null, amount: number) => ({
      device_type,
      version,
      count: amount,
    });
    const rows = versionRows(
      [
        count('pi', 'v2.10.0', 5),
        count('pi', 'v2.9.0', 7),
        count('pi', 'v1.0.0', 1),
        count('pi', 'v0.9.0', 2),
        count('pi', null, 4),
        count('jetson', 'v9.0.0', 30),
      ],
      3,
    );
    expect(rows.map(({ type, total }) => [type, total])).to.deep.equal([
      ['jetson', 30],
      ['pi', 19],
    ]);
    expect(rows[1]?.parts).to.deep.equal([
      { versions: ['v2.10.0'], count: 5 },
      { versions: ['v2.9.0'], count: 7 },
      { versions: ['v1.0.0', 'v0.9.0'], count: 3 },
      { versions: [null], count: 4 },
    ]);
  });
});
