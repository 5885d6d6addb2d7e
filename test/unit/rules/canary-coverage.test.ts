import { expect } from 'chai';
import fc from 'fast-check';

import { shareOf } from '../../../backend/deployments/rules/batch-plan.ts';
import { allocate, coverageOf } from '../../../backend/deployments/rules/canary-coverage.ts';

interface Kind {
  count: number;
  online: number;
}

const online = (...counts: number[]): Kind[] => counts.map((count) => ({ count, online: count }));
const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

describe('the kinds of devices in the first batch of a canary', () => {
  const TABLE: [name: string, kinds: Kind[], size: number, devices: number[]][] = [
    ['one kind gets everything', online(100), 10, [10]],
    ['proportional to the sizes', online(60, 30, 10), 10, [6, 3, 1]],
    ['at least one of each kind', online(97, 1, 1, 1), 10, [7, 1, 1, 1]],
    ['one of each kind, if that is all there is room for', online(97, 2, 1), 3, [1, 1, 1]],
    ['the first kinds, if there are more than devices', online(60, 30, 10), 2, [1, 1, 0]],
    ['everything', online(3, 2), 5, [3, 2]],
    ['not more than there are', online(2, 1), 10, [2, 1]],
    ['rounded to whole devices', online(50, 50), 5, [3, 2]],
    [
      'a kind that is offline gets its place, and no more',
      [
        { count: 50, online: 50 },
        { count: 50, online: 0 },
      ],
      10,
      [9, 1],
    ],
    [
      'online devices of other kinds before offline ones',
      [
        { count: 80, online: 2 },
        { count: 20, online: 20 },
      ],
      10,
      [2, 8],
    ],
    [
      'offline devices in proportion, once all others are in it',
      [
        { count: 60, online: 0 },
        { count: 30, online: 0 },
        { count: 10, online: 1 },
      ],
      10,
      [6, 3, 1],
    ],
    ['nothing without kinds', [], 3, []],
  ];

  for (const [name, kinds, size, devices] of TABLE) {
    it(name, () => {
      expect(allocate(kinds, size)).to.deep.equal(devices);
    });
  }

  const kind = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 }));
  const anyKinds = fc.array(
    kind.chain((count) =>
      fc.record({ count: fc.constant(count), online: fc.integer({ min: 0, max: count }) }),
    ),
    { minLength: 1, maxLength: 40 },
  );
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const sizeOf = (kinds: Kind[], part: number) =>
    Math.max(1, Math.floor(part * sum(kinds.map(({ count }) => count))));

  it('are as many devices as there is room for, at least one and at most all of each kind', () => {
    fc.assert(
      fc.property(anyKinds, share, (kinds, part) => {
        const size = sizeOf(kinds, part);
        const devices = allocate(kinds, size);
        expect(sum(devices)).to.equal(size);
        kinds.forEach(({ count }, index) => {
          expect(devices[index]).to.be.within(index < size ? 1 : 0, count);
        });
      }),
    );
  });

  it('are in proportion to the sizes of the kinds, except for the one device that each has', () => {
    fc.assert(
      fc.property(fc.array(kind, { minLength: 1, maxLength: 40 }), share, (counts, part) => {
        const kinds = online(...counts);
        const size = sizeOf(kinds, part);
        const devices = allocate(kinds, size);
        // No device could be exchanged for one of another kind whose place comes earlier.
        devices.forEach((more, index) => {
          devices.forEach((less, other) => {
            if (more < 2 || less >= (counts[other] ?? 0)) return;
            expect((more - 0.5) / (counts[index] ?? 1)).to.be.at.most(
              (less + 0.5) / (counts[other] ?? 1),
            );
          });
        });
      }),
    );
  });

  it('are within one device of the exact share, for up to three kinds', () => {
    fc.assert(
      fc.property(fc.array(kind, { minLength: 1, maxLength: 3 }), share, (counts, part) => {
        const kinds = online(...counts);
        const size = sizeOf(kinds, part);
        const shares = counts.map((count) => (count * size) / sum(counts));
        fc.pre(shares.every((exact) => exact >= 1));
        allocate(kinds, size).forEach((devices, index) => {
          expect(Math.abs(devices - (shares[index] ?? 0))).to.be.below(1);
        });
      }),
    );
  });

  it('prefer online devices, except for the one device of a kind that is offline', () => {
    fc.assert(
      fc.property(anyKinds, share, (kinds, part) => {
        const devices = allocate(kinds, sizeOf(kinds, part));
        const onlineIsLeft = kinds.some((one, index) => (devices[index] ?? 0) < one.online);
        if (!onlineIsLeft) return;
        kinds.forEach((one, index) => {
          expect(devices[index]).to.be.at.most(Math.max(1, one.online));
        });
      }),
    );
  });

  it('only ever grow when the canary is expanded', () => {
    fc.assert(
      fc.property(anyKinds, share, (kinds, part) => {
        const size = sizeOf(kinds, part);
        const [before, after] = [allocate(kinds, size), allocate(kinds, size + 1)];
        before.forEach((devices, index) => expect(after[index]).to.be.at.least(devices));
      }),
    );
  });

  it('are computed for the largest fleets', () => {
    const kinds = Array.from({ length: 1_001 }, (_, index) => ({
      count: 1 + index * 20,
      online: index * 18,
    }));
    expect(sum(allocate(kinds, 1_000_000))).to.equal(1_000_000);
  });
});

describe('the coverage of a canary', () => {
  const kind = (version: string, count: number, isOnline = true) => ({
    deviceType: 'pi',
    version,
    attributes: { site: 'berlin' },
    count,
    online: isOnline ? count : 0,
  });

  it('counts the kinds, and names the missing ones', () => {
    const kinds = [kind('v1', 60), kind('v2', 30), kind('v3', 10)];
    expect(coverageOf({ kinds, others: null }, 2)).to.deep.equal({
      kinds: 3,
      covered_kinds: 2,
      missing: [{ device_type: 'pi', version: 'v3', attributes: { site: 'berlin' }, count: 10 }],
      by_kind: kinds.map(({ version, count }, index) => ({
        device_type: 'pi',
        version,
        attributes: { site: 'berlin' },
        count,
        first_batch: index < 2 ? 1 : 0,
      })),
      has_other_kinds: false,
      percentage_for_all: 3,
    });
  });

  it('counts the devices of all further kinds as one kind, and does not list it', () => {
    const kinds = [kind('v1', 4), kind('v2', 3)];
    const coverage = coverageOf({ kinds, others: { count: 93, online: 93 } }, 2);
    expect(coverage).to.deep.include({ kinds: 3, covered_kinds: 2, missing: [] });
    expect(coverage.has_other_kinds).to.equal(true);
    expect(coverage.by_kind).to.have.length(2);
  });

  it('lists at most ten missing kinds, and 50 in all', () => {
    const kinds = Array.from({ length: 80 }, (_, index) => kind(`v${index}`, 80 - index));
    const { missing, by_kind } = coverageOf({ kinds, others: null }, 5);
    expect(missing.map(({ version }) => version)).to.deep.equal(
      kinds.slice(5, 15).map(({ version }) => version),
    );
    expect(by_kind).to.have.length(50);
  });

  it('knows the lowest percentage that covers all kinds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }), (counts) => {
        const kinds = counts.map((count, index) => kind(`v${index}`, count));
        const { percentage_for_all: lowest } = coverageOf({ kinds, others: null }, 1);
        const sizeAt = (percentage: number) => Math.max(1, shareOf(sum(counts), percentage));
        expect(sizeAt(lowest)).to.be.at.least(counts.length);
        if (lowest > 1) expect(sizeAt(lowest - 1)).to.be.below(counts.length);
      }),
    );
  });
});
