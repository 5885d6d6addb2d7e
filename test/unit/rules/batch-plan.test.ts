import { expect } from 'chai';
import fc from 'fast-check';

import {
  planBatches,
  shareOf,
  type BatchPlanRequest,
} from '../../../backend/deployments/rules/batch-plan.ts';

describe('the batch plan', () => {
  const TABLE: [name: string, request: BatchPlanRequest, total: number, sizes: number[]][] = [
    ['manual: one batch', { strategy: 'manual' }, 3, [3]],
    ['immediate: one batch', { strategy: 'immediate' }, 1_000_000, [1_000_000]],
    ['canary: 10 % by default', { strategy: 'canary' }, 100, [10, 90]],
    ['canary: the given percentage', { strategy: 'canary', percentage: 20 }, 12, [2, 10]],
    ['canary: rounded down', { strategy: 'canary', percentage: 33 }, 10, [3, 7]],
    ['canary: at least one device', { strategy: 'canary', percentage: 1 }, 5, [1, 4]],
    ['canary: one batch at 100 %', { strategy: 'canary', percentage: 100 }, 7, [7]],
    ['canary: one batch for a single device', { strategy: 'canary', percentage: 10 }, 1, [1]],
    ['rolling: 20 % by default', { strategy: 'rolling' }, 100, [20, 20, 20, 20, 20]],
    ['rolling: at least five devices', { strategy: 'rolling' }, 12, [5, 5, 2]],
    ['rolling: one batch for fewer than five devices', { strategy: 'rolling' }, 3, [3]],
    ['rolling: rounded down', { strategy: 'rolling' }, 29, [5, 5, 5, 5, 5, 4]],
    ['rolling: the given percentage', { strategy: 'rolling', percentage: 50 }, 21, [10, 10, 1]],
    [
      'rolling: at least five devices at any percentage',
      { strategy: 'rolling', percentage: 1 },
      11,
      [5, 5, 1],
    ],
    ['rolling: the given batch size', { strategy: 'rolling', batchSize: 1 }, 3, [1, 1, 1]],
    ['rolling: a batch size above the total', { strategy: 'rolling', batchSize: 50 }, 8, [8]],
  ];

  for (const [name, request, total, sizes] of TABLE) {
    it(name, () => {
      expect(planBatches(request, total).map(({ size }) => size)).to.deep.equal(sizes);
    });
  }

  it('contains how each batch is released', () => {
    const releases = (request: BatchPlanRequest) =>
      planBatches(request, 12).map(({ release }) => release);
    expect(releases({ strategy: 'manual' })).to.deep.equal(['start']);
    expect(releases({ strategy: 'immediate' })).to.deep.equal(['start']);
    expect(releases({ strategy: 'canary' })).to.deep.equal(['start', 'expand']);
    expect(releases({ strategy: 'rolling' })).to.deep.equal(['start', 'automatic', 'automatic']);
  });

  const request = fc.record({
    strategy: fc.constantFrom('manual', 'immediate', 'canary', 'rolling'),
    percentage: fc.option(fc.integer({ min: 1, max: 100 }), { nil: null }),
    batchSize: fc.option(fc.integer({ min: 100, max: 5_000 }), { nil: null }),
  });
  const total = fc.integer({ min: 1, max: 1_000_000 });

  it('covers every target, in numbered batches of at least one', () => {
    fc.assert(
      fc.property(request, total, (planned, targets) => {
        const plan = planBatches(planned, targets);
        expect(plan.reduce((sum, { size }) => sum + size, 0)).to.equal(targets);
        plan.forEach(({ number, size }, index) => {
          expect(number).to.equal(index + 1);
          expect(size).to.be.at.least(1);
        });
        expect(plan.filter(({ release }) => release === 'start')).to.deep.equal([plan[0]]);
      }),
    );
  });

  it('has equal batches for rolling, except a last one that is not larger', () => {
    fc.assert(
      fc.property(request, total, (planned, targets) => {
        const sizes = planBatches({ ...planned, strategy: 'rolling' }, targets).map((b) => b.size);
        const [first = 0] = sizes;
        expect(new Set(sizes.slice(0, -1)).size).to.be.at.most(1);
        expect(sizes.at(-1)).to.be.at.most(first);
      }),
    );
  });

  it('rounds shares down to whole devices without rounding errors', () => {
    fc.assert(
      fc.property(total, fc.integer({ min: 0, max: 100 }), (targets, percentage) => {
        const share = shareOf(targets, percentage);
        expect(share * 100).to.be.at.most(targets * percentage);
        expect((share + 1) * 100).to.be.above(targets * percentage);
      }),
    );
  });
});
