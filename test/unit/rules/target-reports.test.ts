import { expect } from 'chai';
import fc from 'fast-check';

import {
  DEPLOYMENT_STATUSES,
  FINISHED_TARGET_STATUSES,
  REPORTED_STATUSES,
  SKIP_REASONS,
  TARGET_STATUSES,
  type ReportedStatus,
  type TargetStatus,
} from '../../../backend/contract/states.ts';
import {
  isFinished,
  isUpdating,
  judgeReport,
  shouldAbort,
  type ReportContext,
} from '../../../backend/deployments/rules/target-reports.ts';

const RELEASED: ReportContext = {
  status: 'pending',
  attempt: 1,
  timedOut: false,
  skipReason: null,
  released: true,
  rollbackRequested: false,
  errorMessage: null,
  deploymentStatus: 'in_progress',
};

/** A target, and the verdict on each report in the order of {@link REPORTS}. */
interface Row {
  target: Partial<ReportContext>;
  verdicts: string;
}

/** The columns of the table. `apply` stores the status, `same` changes nothing, `stale` is a 409. */
const REPORTS = 'downloading installing verifying completed failed rolled_back skipped'.split(' ');
const TABLE: Record<string, Row> = {
  pending: {
    target: { status: 'pending' },
    verdicts: 'apply apply apply apply apply apply stale',
  },
  'pending, not released': {
    target: { status: 'pending', released: false },
    verdicts: 'not_released '.repeat(7).trim(),
  },
  downloading: {
    target: { status: 'downloading' },
    verdicts: 'same apply apply apply apply apply stale',
  },
  installing: {
    target: { status: 'installing' },
    verdicts: 'apply same apply apply apply apply stale',
  },
  verifying: {
    target: { status: 'verifying' },
    verdicts: 'apply stale same apply apply apply stale',
  },
  completed: {
    target: { status: 'completed' },
    verdicts: 'stale stale stale same stale stale stale',
  },
  'completed, rollback requested': {
    target: { status: 'completed', rollbackRequested: true },
    verdicts: 'stale stale stale same rollback_failed apply stale',
  },
  failed: {
    target: { status: 'failed', errorMessage: 'as reported' },
    verdicts: 'stale stale stale stale same apply stale',
  },
  'failed, rollback requested, the same failure reported again': {
    target: { status: 'failed', errorMessage: 'as reported', rollbackRequested: true },
    verdicts: 'stale stale stale stale same apply stale',
  },
  'failed, rollback requested, another failure reported': {
    target: { status: 'failed', errorMessage: 'an earlier one', rollbackRequested: true },
    verdicts: 'stale stale stale stale rollback_failed apply stale',
  },
  'failed by a timeout': {
    target: { status: 'failed', timedOut: true, errorMessage: 'no report for 60 minutes' },
    verdicts: 'stale stale stale apply apply apply stale',
  },
  'failed by a timeout, rollback requested': {
    target: {
      status: 'failed',
      timedOut: true,
      errorMessage: 'no report for 60 minutes',
      rollbackRequested: true,
    },
    verdicts: 'stale stale stale apply apply apply stale',
  },
  rolled_back: {
    target: { status: 'rolled_back' },
    verdicts: 'stale stale stale stale stale same stale',
  },
  'skipped by a cancel': {
    target: { status: 'skipped', skipReason: 'cancelled', deploymentStatus: 'cancelled' },
    verdicts: 'stale stale stale apply apply apply same',
  },
  'skipped by a cancel before its release': {
    target: {
      status: 'skipped',
      skipReason: 'cancelled',
      released: false,
      deploymentStatus: 'cancelled',
    },
    verdicts: 'not_released '.repeat(7).trim(),
  },
  'skipped because the device did not check in': {
    target: { status: 'skipped', skipReason: 'not_checked_in' },
    verdicts: 'stale stale stale apply apply apply same',
  },
  'skipped because it was superseded': {
    target: { status: 'skipped', skipReason: 'superseded' },
    verdicts: 'stale stale stale stale stale stale same',
  },
  'pending, cancelled': {
    target: { status: 'pending', deploymentStatus: 'cancelled' },
    verdicts: 'apply apply apply apply apply apply apply',
  },
  'downloading, cancelled': {
    target: { status: 'downloading', deploymentStatus: 'cancelled' },
    verdicts: 'same apply apply apply apply apply apply',
  },
  'installing, cancelled': {
    target: { status: 'installing', deploymentStatus: 'cancelled' },
    verdicts: 'apply same apply apply apply apply apply',
  },
  'downloading, paused': {
    target: { status: 'downloading', deploymentStatus: 'paused' },
    verdicts: 'same apply apply apply apply apply stale',
  },
};

const KINDS: Record<string, string> = { same: 'repeat', stale: 'stale_status' };

describe('the verdict on a report', () => {
  for (const [name, { target, verdicts }] of Object.entries(TABLE)) {
    const cells = verdicts.split(' ');
    REPORTS.forEach((status, column) => {
      const cell = cells[column] ?? '';
      it(`${name}: ${status} → ${cell}`, () => {
        const verdict = judgeReport(
          { ...RELEASED, ...target },
          { status: status as ReportedStatus, errorMessage: 'as reported' },
        );
        const kind = KINDS[cell] ?? cell;
        expect(verdict).to.deep.equal(kind === 'apply' ? { kind, status } : { kind });
      });
    });
  }

  const target: fc.Arbitrary<ReportContext> = fc
    .record({
      status: fc.constantFrom(...TARGET_STATUSES),
      attempt: fc.integer({ min: 1, max: 5 }),
      timedOut: fc.boolean(),
      skipReason: fc.constantFrom(...SKIP_REASONS),
      released: fc.boolean(),
      rollbackRequested: fc.boolean(),
      errorMessage: fc.constantFrom(null, 'one reason', 'another reason'),
      deploymentStatus: fc.constantFrom(...DEPLOYMENT_STATUSES),
    })
    .map((one) => ({ ...one, released: one.released || isUpdating(one.status) }));
  const reported = fc.constantFrom(...REPORTED_STATUSES);
  const errorMessage = fc.constantFrom(undefined, null, 'one reason', 'another reason');

  it('F55 is stale or future for another attempt, whatever the status', () => {
    fc.assert(
      fc.property(target, reported, fc.integer({ min: 1, max: 6 }), (now, status, attempt) => {
        const { kind } = judgeReport(now, { status, attempt });
        expect(kind === 'stale_attempt').to.equal(attempt < now.attempt);
        expect(kind === 'future_attempt').to.equal(attempt > now.attempt);
      }),
    );
  });

  it('is that of the current attempt if the report has none', () => {
    fc.assert(
      fc.property(target, reported, errorMessage, (now, status, message) => {
        const report = { status, errorMessage: message };
        const verdict = judgeReport(now, report);
        expect(judgeReport(now, { ...report, attempt: now.attempt })).to.deep.equal(verdict);
      }),
    );
  });

  it('F56 never reopens a finished target', () => {
    fc.assert(
      fc.property(
        target,
        fc.constantFrom(...FINISHED_TARGET_STATUSES),
        reported,
        errorMessage,
        (now, finished, status, message) => {
          const verdict = judgeReport(
            { ...now, status: finished },
            { status, errorMessage: message },
          );
          if (verdict.kind === 'apply') expect(isFinished(verdict.status)).to.equal(true);
        },
      ),
    );
  });

  it('F55 is repeat when a report is sent again', () => {
    fc.assert(
      fc.property(target, reported, errorMessage, (now, status, message) => {
        const report = { status, errorMessage: message };
        const verdict = judgeReport(now, report);
        if (verdict.kind !== 'apply') return;
        const after = applied(now, verdict.status, message);
        expect(judgeReport(after, report)).to.deep.equal({ kind: 'repeat' });
      }),
    );
  });

  it('F55 leads to the reported result even if reports are lost, duplicated or out of order', () => {
    const steps = ['downloading', 'installing', 'verifying'] as const;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...steps), { maxLength: 20 }),
        fc.constantFrom('completed' as const, 'failed' as const, 'rolled_back' as const),
        fc.array(fc.constantFrom(...steps), { maxLength: 5 }),
        (before, result, late) => {
          let now: ReportContext = RELEASED;
          for (const status of [...before, result, ...late, result]) {
            const verdict = judgeReport(now, { status });
            if (verdict.kind === 'apply') now = applied(now, verdict.status, null);
          }
          expect(now.status).to.equal(result);
        },
      ),
    );
  });

  /** The target after the verdict was applied. */
  function applied(
    now: ReportContext,
    status: TargetStatus,
    message: string | null | undefined,
  ): ReportContext {
    return {
      ...now,
      status,
      timedOut: false,
      errorMessage: message ?? null,
      skipReason: status === 'skipped' ? 'aborted' : null,
      rollbackRequested: now.rollbackRequested && status !== 'rolled_back',
    };
  }
});

describe('F68 the abort directive after a cancel', () => {
  const ABORTED: Partial<Record<TargetStatus, ReportedStatus[]>> = {
    pending: ['downloading', 'installing'],
    downloading: ['downloading', 'installing'],
  };

  for (const status of TARGET_STATUSES) {
    for (const reported of REPORTED_STATUSES) {
      const abort = ABORTED[status]?.includes(reported) ?? false;
      it(`${status}, reports ${reported}: ${abort ? 'abort' : 'continue'}`, () => {
        const cancelled = { ...RELEASED, status, deploymentStatus: 'cancelled' as const };
        expect(shouldAbort(cancelled, reported)).to.equal(abort);
      });
    }
  }

  it('is not sent for any other deployment', () => {
    for (const deploymentStatus of DEPLOYMENT_STATUSES) {
      if (deploymentStatus === 'cancelled') continue;
      for (const status of TARGET_STATUSES) {
        for (const reported of REPORTED_STATUSES) {
          expect(shouldAbort({ ...RELEASED, status, deploymentStatus }, reported)).to.equal(false);
        }
      }
    }
  });
});

describe('target statuses', () => {
  it('are pending, updating or finished', () => {
    expect(TARGET_STATUSES.filter(isUpdating)).to.deep.equal([
      'downloading',
      'installing',
      'verifying',
    ]);
    expect(
      TARGET_STATUSES.filter((status) => !isUpdating(status) && !isFinished(status)),
    ).to.deep.equal(['pending']);
  });
});
