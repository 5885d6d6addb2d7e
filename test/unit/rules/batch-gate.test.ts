import { expect } from 'chai';
import fc from 'fast-check';

import {
  failureThresholdExceeded,
  nextStep,
  unfinishedTargets,
  type BatchProgress,
  type RolloutFigures,
} from '../../../backend/deployments/rules/batch-gate.ts';
import { planBatches } from '../../../backend/deployments/rules/batch-plan.ts';
import {
  emptyBreakdown,
  sumBreakdowns,
} from '../../../backend/deployments/model/deployment.types.ts';
import type { StatusBreakdown } from '../../../backend/contract/admin-api.ts';
import {
  DEPLOYMENT_STATUSES,
  FINISHED_TARGET_STATUSES,
  type TargetStatus,
} from '../../../backend/contract/states.ts';

const POLICY = { failure_threshold_percent: 25, failure_min_devices: 5 };

function counts(some: Partial<StatusBreakdown>): StatusBreakdown {
  return { ...emptyBreakdown(), ...some };
}

describe('failure threshold', () => {
  interface Case {
    breakdown: Partial<StatusBreakdown>;
    policy?: Partial<typeof POLICY> | { failure_threshold_percent: null };
    rolledBackOnRequest?: number;
    acceptedFailures?: number;
    exceeded: boolean;
  }
  const TABLE: Record<string, Case> = {
    'nothing ended': { breakdown: { pending: 9 }, exceeded: false },
    'exactly the threshold is not exceeded': {
      breakdown: { completed: 6, failed: 2 },
      exceeded: false,
    },
    'more than the threshold': { breakdown: { completed: 5, failed: 2 }, exceeded: true },
    'too few ended to tell': { breakdown: { failed: 4 }, exceeded: false },
    'just enough ended to tell': { breakdown: { failed: 5 }, exceeded: true },
    'counted over ended targets, not over all': {
      breakdown: { pending: 1_000, installing: 20, completed: 3, failed: 2 },
      exceeded: true,
    },
    'skipped targets do not thin out failures': {
      breakdown: { skipped: 1_000, completed: 3, failed: 2 },
      exceeded: true,
    },
    'skipped targets do not make up the minimum': {
      breakdown: { skipped: 5, failed: 4 },
      exceeded: false,
    },
    'skipped targets alone are no failures': { breakdown: { skipped: 50 }, exceeded: false },
    'rolled back by itself is a failure': {
      breakdown: { completed: 3, rolled_back: 2 },
      exceeded: true,
    },
    'rolled back because an admin asked is none': {
      breakdown: { completed: 3, rolled_back: 2 },
      rolledBackOnRequest: 2,
      exceeded: false,
    },
    'both kinds of rollback together': {
      breakdown: { completed: 4, rolled_back: 3 },
      rolledBackOnRequest: 1,
      exceeded: true,
    },
    'a resume accepted these failures': {
      breakdown: { completed: 3, failed: 2 },
      acceptedFailures: 2,
      exceeded: false,
    },
    'one more than a resume accepted': {
      breakdown: { completed: 3, failed: 3 },
      acceptedFailures: 2,
      exceeded: true,
    },
    'one more than accepted, but few by now': {
      breakdown: { completed: 97, failed: 3 },
      acceptedFailures: 2,
      exceeded: false,
    },
    'turned off': {
      breakdown: { failed: 100 },
      policy: { failure_threshold_percent: null },
      exceeded: false,
    },
    'none tolerated': {
      breakdown: { completed: 99, failed: 1 },
      policy: { failure_threshold_percent: 0 },
      exceeded: true,
    },
    'all tolerated': {
      breakdown: { failed: 100 },
      policy: { failure_threshold_percent: 100 },
      exceeded: false,
    },
    'looked at from the first device on': {
      breakdown: { failed: 1 },
      policy: { failure_min_devices: 1 },
      exceeded: true,
    },
  };

  for (const [name, { breakdown, policy, exceeded, ...rest }] of Object.entries(TABLE)) {
    it(name, () => {
      const figures = {
        breakdown: counts(breakdown),
        rolledBackOnRequest: rest.rolledBackOnRequest ?? 0,
        acceptedFailures: rest.acceptedFailures ?? 0,
      };
      expect(failureThresholdExceeded({ ...POLICY, ...policy }, figures)).to.equal(exceeded);
    });
  }
});

describe('next step of a deployment', () => {
  function batch(number: number, state: 'planned' | 'asked' | 'released', breakdown: object) {
    const released = state === 'released';
    return {
      number,
      released,
      releaseRequested: released || state === 'asked',
      breakdown: counts(breakdown),
    };
  }

  function figures(batches: BatchProgress[], some: Partial<RolloutFigures> = {}): RolloutFigures {
    return {
      status: 'in_progress',
      strategy: 'rolling',
      policy: POLICY,
      rolledBackOnRequest: 0,
      acceptedFailures: 0,
      isRetrying: false,
      batches,
      breakdown: sumBreakdowns(batches),
      ...some,
    };
  }

  const TABLE: [name: string, figures: RolloutFigures, step: ReturnType<typeof nextStep>][] = [
    [
      'started: the first batch is released',
      figures([batch(1, 'asked', { pending: 5 }), batch(2, 'planned', { pending: 5 })]),
      { kind: 'release', batch: 1 },
    ],
    [
      'rolling: waits for the last device of the batch',
      figures([
        batch(1, 'released', { completed: 4, verifying: 1 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'wait' },
    ],
    [
      'rolling: a batch that ended is followed by the next',
      figures([
        batch(1, 'released', { completed: 4, skipped: 1 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'release', batch: 2 },
    ],
    [
      'rolling: a retried device of an earlier batch holds the next one',
      figures([
        batch(1, 'released', { completed: 4, pending: 1 }),
        batch(2, 'released', { completed: 5 }),
        batch(3, 'planned', { pending: 5 }),
      ]),
      { kind: 'wait' },
    ],
    [
      'rolling: a batch whose targets ended unreleased is passed',
      figures([
        batch(1, 'released', { completed: 5 }),
        batch(2, 'planned', { skipped: 5 }),
        batch(3, 'planned', { pending: 5 }),
      ]),
      { kind: 'release', batch: 2 },
    ],
    [
      'rolling: the gate does not pass',
      figures([
        batch(1, 'released', { completed: 3, failed: 2 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'pause' },
    ],
    [
      'rolling: pauses at once, in the middle of a batch',
      figures([
        batch(1, 'released', { completed: 3, failed: 2, pending: 15 }),
        batch(2, 'planned', { pending: 20 }),
      ]),
      { kind: 'pause' },
    ],
    [
      'paused: no batch is released',
      figures([batch(1, 'released', { completed: 5 }), batch(2, 'planned', { pending: 5 })], {
        status: 'paused',
      }),
      { kind: 'wait' },
    ],
    [
      'paused: not even one that was asked for',
      figures([batch(1, 'asked', { pending: 5 })], { status: 'paused' }),
      { kind: 'wait' },
    ],
    [
      'paused: ends with its last target',
      figures([batch(1, 'released', { completed: 5 })], { status: 'paused' }),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'a retry in progress: failures that are still to be retried pause nothing',
      figures([batch(1, 'released', { completed: 3, failed: 2, pending: 15 })], {
        isRetrying: true,
      }),
      { kind: 'wait' },
    ],
    [
      'a retry in progress: no end',
      figures([batch(1, 'released', { failed: 5 })], { isRetrying: true }),
      { kind: 'wait' },
    ],
    [
      'canary: the rest waits for an admin',
      figures([batch(1, 'released', { completed: 2 }), batch(2, 'planned', { pending: 18 })], {
        strategy: 'canary',
      }),
      { kind: 'wait' },
    ],
    [
      'canary: the rest was asked for',
      figures(
        [batch(1, 'released', { completed: 1, installing: 1 }), batch(2, 'asked', { pending: 18 })],
        { strategy: 'canary' },
      ),
      { kind: 'release', batch: 2 },
    ],
    [
      'everything completed',
      figures([batch(1, 'released', { completed: 5 })]),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'skipped ones do not spoil it',
      figures([batch(1, 'released', { completed: 1, skipped: 4 })]),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'one failed',
      figures([batch(1, 'released', { completed: 99, failed: 1 })]),
      { kind: 'finish', status: 'failed' },
    ],
    [
      'one rolled back, even if an admin asked',
      figures([batch(1, 'released', { completed: 99, rolled_back: 1 })], {
        rolledBackOnRequest: 1,
      }),
      { kind: 'finish', status: 'failed' },
    ],
    [
      'all failed at the end: finished, there is nothing left to pause',
      figures([batch(1, 'released', { failed: 5 })]),
      { kind: 'finish', status: 'failed' },
    ],
  ];

  for (const [name, rollout, step] of TABLE) {
    it(name, () => expect(nextStep(rollout)).to.deep.equal(step));
  }

  for (const status of DEPLOYMENT_STATUSES) {
    if (status === 'in_progress' || status === 'paused') continue;
    it(`${status}: nothing happens by itself`, () => {
      const batches = [batch(1, 'asked', { pending: 5 })];
      expect(nextStep(figures(batches, { status }))).to.deep.equal({ kind: 'wait' });
      const ended = [batch(1, 'released', { failed: 5 })];
      expect(nextStep(figures(ended, { status }))).to.deep.equal({ kind: 'wait' });
    });
  }

  /** What happens to a rollout, in any order: devices end, admins steer, jobs look what is due. */
  const happening = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        device: fc.nat(),
        ends: fc.constantFrom(...FINISHED_TARGET_STATUSES),
      }),
    },
    { weight: 4, arbitrary: fc.constant('look' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('pause' as const, 'resume' as const, 'expand' as const),
    },
  );

  it('never releases ahead, never while paused, and finishes exactly with the last target', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'manual' as const,
          'immediate' as const,
          'canary' as const,
          'rolling' as const,
        ),
        fc.integer({ min: 1, max: 40 }),
        fc.array(happening, { maxLength: 150 }),
        (strategy, total, happenings) => {
          const rollout = new Rollout(strategy, total);
          for (const what of happenings) rollout.meet(what);
        },
      ),
      { numRuns: 300 },
    );
  });

  class Rollout {
    readonly #rollout: RolloutFigures;
    readonly #targets: { batch: BatchProgress; status: TargetStatus }[];
    #asked = false;

    constructor(strategy: RolloutFigures['strategy'], total: number) {
      const plan = planBatches({ strategy, percentage: 20 }, total);
      const batches = plan.map(({ number, size }) =>
        batch(number, number === 1 ? 'asked' : 'planned', { pending: size }),
      );
      this.#rollout = figures(batches, { strategy });
      this.#targets = batches.flatMap((one) =>
        Array.from({ length: one.breakdown.pending }, () => ({
          batch: one,
          status: 'pending' as const,
        })),
      );
    }

    meet(what: { device: number; ends: TargetStatus } | 'look' | 'pause' | 'resume' | 'expand') {
      const rollout = this.#rollout;
      if (rollout.status !== 'in_progress' && rollout.status !== 'paused') return;
      if (what === 'look') this.#look();
      else if (what === 'pause') rollout.status = 'paused';
      else if (what === 'resume') this.#resume();
      else if (what === 'expand') this.#expand();
      else this.#end(what.device, what.ends);
    }

    #end(device: number, status: TargetStatus): void {
      const target = this.#targets[device % this.#targets.length];
      // Only what was released can end at its device; anything can be superseded.
      if (!target || target.status !== 'pending') return;
      if (!target.batch.released && status !== 'skipped') return;
      target.batch.breakdown.pending -= 1;
      target.batch.breakdown[status] += 1;
      target.status = status;
      this.#rollout.breakdown = sumBreakdowns(this.#rollout.batches);
    }

    #resume(): void {
      this.#rollout.status = 'in_progress';
      const { failed, rolled_back: rolledBack } = this.#rollout.breakdown;
      this.#rollout.acceptedFailures = failed + rolledBack;
    }

    #expand(): void {
      const rest = this.#rollout.batches[1];
      if (this.#rollout.strategy !== 'canary' || !rest) return;
      rest.releaseRequested = true;
      this.#asked = true;
    }

    #look(): void {
      const { batches, strategy, breakdown, policy } = this.#rollout;
      const wasPaused = this.#rollout.status === 'paused';
      const step = nextStep(this.#rollout);
      expect(step.kind === 'finish').to.equal(unfinishedTargets(breakdown) === 0);
      if (wasPaused) expect(step.kind).to.be.oneOf(['wait', 'finish']);
      if (step.kind === 'pause') this.#rollout.status = 'paused';
      if (step.kind === 'finish') this.#rollout.status = step.status;
      if (step.kind !== 'release') return;
      expect(failureThresholdExceeded(policy, this.#rollout)).to.equal(false);
      const before = batches.slice(0, step.batch - 1);
      const released = batches[step.batch - 1] as BatchProgress;
      expect(released.released).to.equal(false);
      expect(before.every((one) => one.released)).to.equal(true);
      if (strategy === 'rolling') {
        expect(before.reduce((sum, one) => sum + unfinishedTargets(one.breakdown), 0)).to.equal(0);
      } else if (step.batch > 1) {
        expect(strategy).to.equal('canary');
        expect(this.#asked).to.equal(true);
      }
      released.releaseRequested = true;
      released.released = true;
    }
  }
});
