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

describe('the failure threshold', () => {
  interface Case {
    breakdown: Partial<StatusBreakdown>;
    policy?: Partial<typeof POLICY> | { failure_threshold_percent: null };
    rolledBackOnRequest?: number;
    acceptedFailures?: number;
    exceeded: boolean;
  }
  const TABLE: Record<string, Case> = {
    'nothing finished': { breakdown: { pending: 9 }, exceeded: false },
    'exactly the threshold': {
      breakdown: { completed: 6, failed: 2 },
      exceeded: false,
    },
    'more than the threshold': { breakdown: { completed: 5, failed: 2 }, exceeded: true },
    'fewer finished than the minimum': { breakdown: { failed: 4 }, exceeded: false },
    'exactly the minimum finished': { breakdown: { failed: 5 }, exceeded: true },
    'counts finished targets only': {
      breakdown: { pending: 1_000, installing: 20, completed: 3, failed: 2 },
      exceeded: true,
    },
    'skipped targets do not dilute failures': {
      breakdown: { skipped: 1_000, completed: 3, failed: 2 },
      exceeded: true,
    },
    'skipped targets do not count toward the minimum': {
      breakdown: { skipped: 5, failed: 4 },
      exceeded: false,
    },
    'skipped targets alone': { breakdown: { skipped: 50 }, exceeded: false },
    'a device that rolled back by itself is a failure': {
      breakdown: { completed: 3, rolled_back: 2 },
      exceeded: true,
    },
    'a requested rollback is not a failure': {
      breakdown: { completed: 3, rolled_back: 2 },
      rolledBackOnRequest: 2,
      exceeded: false,
    },
    'both kinds of rollback together': {
      breakdown: { completed: 4, rolled_back: 3 },
      rolledBackOnRequest: 1,
      exceeded: true,
    },
    'failures accepted by a resume': {
      breakdown: { completed: 3, failed: 2 },
      acceptedFailures: 2,
      exceeded: false,
    },
    'one failure more than a resume accepted': {
      breakdown: { completed: 3, failed: 3 },
      acceptedFailures: 2,
      exceeded: true,
    },
    'one failure more than accepted, but below the threshold': {
      breakdown: { completed: 97, failed: 3 },
      acceptedFailures: 2,
      exceeded: false,
    },
    'turned off': {
      breakdown: { failed: 100 },
      policy: { failure_threshold_percent: null },
      exceeded: false,
    },
    'a threshold of 0 %': {
      breakdown: { completed: 99, failed: 1 },
      policy: { failure_threshold_percent: 0 },
      exceeded: true,
    },
    'a threshold of 100 %': {
      breakdown: { failed: 100 },
      policy: { failure_threshold_percent: 100 },
      exceeded: false,
    },
    'a minimum of one device': {
      breakdown: { failed: 1 },
      policy: { failure_min_devices: 1 },
      exceeded: true,
    },
  };

  for (const [name, { breakdown, policy, exceeded, ...rest }] of Object.entries(TABLE)) {
    it(`${name}: ${exceeded ? 'exceeded' : 'not exceeded'}`, () => {
      const figures = {
        breakdown: counts(breakdown),
        rolledBackOnRequest: rest.rolledBackOnRequest ?? 0,
        acceptedFailures: rest.acceptedFailures ?? 0,
      };
      expect(failureThresholdExceeded({ ...POLICY, ...policy }, figures)).to.equal(exceeded);
    });
  }
});

describe('the next step of a deployment', () => {
  function batch(number: number, state: 'planned' | 'requested' | 'released', breakdown: object) {
    const released = state === 'released';
    return {
      number,
      released,
      releaseRequested: released || state === 'requested',
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
      'started: release the first batch',
      figures([batch(1, 'requested', { pending: 5 }), batch(2, 'planned', { pending: 5 })]),
      { kind: 'release', batch: 1 },
    ],
    [
      'rolling: wait for the last device of the batch',
      figures([
        batch(1, 'released', { completed: 4, verifying: 1 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'wait' },
    ],
    [
      'rolling: release the next batch after a finished one',
      figures([
        batch(1, 'released', { completed: 4, skipped: 1 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'release', batch: 2 },
    ],
    [
      'rolling: wait for a retried device of an earlier batch',
      figures([
        batch(1, 'released', { completed: 4, pending: 1 }),
        batch(2, 'released', { completed: 5 }),
        batch(3, 'planned', { pending: 5 }),
      ]),
      { kind: 'wait' },
    ],
    [
      'rolling: release a batch whose targets were all skipped',
      figures([
        batch(1, 'released', { completed: 5 }),
        batch(2, 'planned', { skipped: 5 }),
        batch(3, 'planned', { pending: 5 }),
      ]),
      { kind: 'release', batch: 2 },
    ],
    [
      'rolling: pause instead of releasing the next batch',
      figures([
        batch(1, 'released', { completed: 3, failed: 2 }),
        batch(2, 'planned', { pending: 5 }),
      ]),
      { kind: 'pause' },
    ],
    [
      'rolling: pause in the middle of a batch',
      figures([
        batch(1, 'released', { completed: 3, failed: 2, pending: 15 }),
        batch(2, 'planned', { pending: 20 }),
      ]),
      { kind: 'pause' },
    ],
    [
      'paused: release no batch',
      figures([batch(1, 'released', { completed: 5 }), batch(2, 'planned', { pending: 5 })], {
        status: 'paused',
      }),
      { kind: 'wait' },
    ],
    [
      'paused: release no requested batch',
      figures([batch(1, 'requested', { pending: 5 })], { status: 'paused' }),
      { kind: 'wait' },
    ],
    [
      'paused: finish with the last target',
      figures([batch(1, 'released', { completed: 5 })], { status: 'paused' }),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'a retry in progress: do not pause for failures still to be retried',
      figures([batch(1, 'released', { completed: 3, failed: 2, pending: 15 })], {
        isRetrying: true,
      }),
      { kind: 'wait' },
    ],
    [
      'a retry in progress: do not finish',
      figures([batch(1, 'released', { failed: 5 })], { isRetrying: true }),
      { kind: 'wait' },
    ],
    [
      'canary: wait for an expansion',
      figures([batch(1, 'released', { completed: 2 }), batch(2, 'planned', { pending: 18 })], {
        strategy: 'canary',
      }),
      { kind: 'wait' },
    ],
    [
      'canary: release the requested expansion',
      figures(
        [
          batch(1, 'released', { completed: 1, installing: 1 }),
          batch(2, 'requested', { pending: 18 }),
        ],
        { strategy: 'canary' },
      ),
      { kind: 'release', batch: 2 },
    ],
    [
      'all completed: completed',
      figures([batch(1, 'released', { completed: 5 })]),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'some skipped: completed',
      figures([batch(1, 'released', { completed: 1, skipped: 4 })]),
      { kind: 'finish', status: 'completed' },
    ],
    [
      'one failed: failed',
      figures([batch(1, 'released', { completed: 99, failed: 1 })]),
      { kind: 'finish', status: 'failed' },
    ],
    [
      'one rolled back on request: failed',
      figures([batch(1, 'released', { completed: 99, rolled_back: 1 })], {
        rolledBackOnRequest: 1,
      }),
      { kind: 'finish', status: 'failed' },
    ],
    [
      'all failed: failed, not paused',
      figures([batch(1, 'released', { failed: 5 })]),
      { kind: 'finish', status: 'failed' },
    ],
  ];

  for (const [name, rollout, step] of TABLE) {
    it(name, () => expect(nextStep(rollout)).to.deep.equal(step));
  }

  for (const status of DEPLOYMENT_STATUSES) {
    if (status === 'in_progress' || status === 'paused') continue;
    it(`${status}: wait`, () => {
      const batches = [batch(1, 'requested', { pending: 5 })];
      expect(nextStep(figures(batches, { status }))).to.deep.equal({ kind: 'wait' });
      const ended = [batch(1, 'released', { failed: 5 })];
      expect(nextStep(figures(ended, { status }))).to.deep.equal({ kind: 'wait' });
    });
  }

  /** Events of a rollout, in any order: a device finishes, an admin acts, or a job runs the next step. */
  const event = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        device: fc.nat(),
        finished: fc.constantFrom(...FINISHED_TARGET_STATUSES),
      }),
    },
    { weight: 4, arbitrary: fc.constant('step' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('pause' as const, 'resume' as const, 'expand' as const),
    },
  );

  it('never releases too early or while paused, and finishes exactly with the last target', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'manual' as const,
          'immediate' as const,
          'canary' as const,
          'rolling' as const,
        ),
        fc.integer({ min: 1, max: 40 }),
        fc.array(event, { maxLength: 150 }),
        (strategy, total, events) => {
          const rollout = new Rollout(strategy, total);
          for (const one of events) rollout.apply(one);
        },
      ),
      { numRuns: 300 },
    );
  });

  class Rollout {
    readonly #rollout: RolloutFigures;
    readonly #targets: { batch: BatchProgress; status: TargetStatus }[];
    #expanded = false;

    constructor(strategy: RolloutFigures['strategy'], total: number) {
      const plan = planBatches({ strategy, percentage: 20 }, total);
      const batches = plan.map(({ number, size }) =>
        batch(number, number === 1 ? 'requested' : 'planned', { pending: size }),
      );
      this.#rollout = figures(batches, { strategy });
      this.#targets = batches.flatMap((one) =>
        Array.from({ length: one.breakdown.pending }, () => ({
          batch: one,
          status: 'pending' as const,
        })),
      );
    }

    apply(
      event: { device: number; finished: TargetStatus } | 'step' | 'pause' | 'resume' | 'expand',
    ) {
      const rollout = this.#rollout;
      if (rollout.status !== 'in_progress' && rollout.status !== 'paused') return;
      if (event === 'step') this.#step();
      else if (event === 'pause') rollout.status = 'paused';
      else if (event === 'resume') this.#resume();
      else if (event === 'expand') this.#expand();
      else this.#finish(event.device, event.finished);
    }

    #finish(device: number, status: TargetStatus): void {
      const target = this.#targets[device % this.#targets.length];
      // An unreleased target can only be skipped.
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
      this.#expanded = true;
    }

    #step(): void {
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
        expect(this.#expanded).to.equal(true);
      }
      released.releaseRequested = true;
      released.released = true;
    }
  }
});
