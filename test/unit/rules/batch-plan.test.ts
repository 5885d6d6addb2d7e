import { expect } from 'chai';
import fc from 'fast-check';

import {
  planBatches,
  shareOf,
  type BatchPlanRequest,
} from '../../../backend/deployments/rules/batch-plan.ts';

describe('batch plan', () => {
  const TABLE: [name: string, request: BatchPlanRequest, total: number, sizes: number[]][] = [
    ['manual: one batch', { strategy: 'manual' }, 3, [3]],
    ['immediate: one batch', { strategy: 'immediate' }, 1_000_000, [1_000_000]],
    ['canary: a tenth unless asked otherwise', { strategy: 'canary' }, 100, [10, 90]],
    ['canary: the share asked for', { strategy: 'canary', percentage: 20 }, 12, [2, 10]],
    ['canary: rounded down', { strategy: 'canary', percentage: 33 }, 10, [3, 7]],
    ['canary: never less than one', { strategy: 'canary', percentage: 1 }, 5, [1, 4]],
    ['canary: 100 % leave no rest', { strategy: 'canary', percentage: 100 }, 7, [7]],
    ['canary: a single device leaves no rest', { strategy: 'canary', percentage: 10 }, 1, [1]],
    ['rolling: a fifth each', { strategy: 'rolling' }, 100, [20, 20, 20, 20, 20]],
    ['rolling: never less than five', { strategy: 'rolling' }, 12, [5, 5, 2]],
    ['rolling: fewer than five are one batch', { strategy: 'rolling' }, 3, [3]],
    ['rolling: rounded down', { strategy: 'rolling' }, 29, [5, 5, 5, 5, 5, 4]],
    ['rolling: the share asked for', { strategy: 'rolling', percentage: 50 }, 21, [10, 10, 1]],
    ['rolling: five at least, of any share', { strategy: 'rolling', percentage: 1 }, 11, [5, 5, 1]],
    ['rolling: the size asked for', { strategy: 'rolling', batchSize: 1 }, 3, [1, 1, 1]],
    ['rolling: a size beyond the total', { strategy: 'rolling', batchSize: 50 }, 8, [8]],
  ];

  for (const [name, request, total, sizes] of TABLE) {
    it(name, () => {
      expect(planBatches(request, total).map(({ size }) => size)).to.deep.equal(sizes);
    });
  }

  it('says how each batch is released', () => {
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

  it('has a place for every target, in numbered batches of at least one', () => {
    fc.assert(
      fc.property(request, total, (asked, targets) => {
        const plan = planBatches(asked, targets);
        expect(plan.reduce((sum, { size }) => sum + size, 0)).to.equal(targets);
        plan.forEach(({ number, size }, index) => {
          expect(number).to.equal(index + 1);
          expect(size).to.be.at.least(1);
        });
        expect(plan.filter(({ release }) => release === 'start')).to.deep.equal([plan[0]]);
      }),
    );
  });

  it('cuts a rolling deployment into equal batches and a last one that is not larger', () => {
    fc.assert(
      fc.property(request, total, (asked, targets) => {
        const sizes = planBatches({ ...asked, strategy: 'rolling' }, targets).map((b) => b.size);
        const [first = 0] = sizes;
        expect(new Set(sizes.slice(0, -1)).size).to.be.at.most(1);
        expect(sizes.at(-1)).to.be.at.most(first);
      }),
    );
  });

  it('takes shares of whole devices without rounding errors', () => {
    fc.assert(
      fc.property(total, fc.integer({ min: 0, max: 100 }), (targets, percentage) => {
        const share = shareOf(targets, percentage);
        expect(share * 100).to.be.at.most(targets * percentage);
        expect((share + 1) * 100).to.be.above(targets * percentage);
      }),
    );
  });
});
