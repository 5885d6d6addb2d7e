import { setImmediate as immediate } from 'node:timers/promises';

import { expect } from 'chai';

import { RejectionThrottle } from '../../backend/api/rejection-throttle.ts';
import { waitFor } from '../../dev/wait-for.ts';

describe('the rejection throttle', () => {
  const pace = new RejectionThrottle({ perInterval: 3, intervalMs: 5 });

  function takeTurns(count: number): { released: number[]; all: Promise<unknown> } {
    const released: number[] = [];
    const all = Promise.all(
      Array.from({ length: count }, async (_, index) => {
        await pace.wait();
        released.push(index);
      }),
    );
    return { released, all };
  }

  it('releases a few rejections at once and the others turn by turn, in order', async () => {
    const { released, all } = takeTurns(10);
    await Promise.resolve();
    expect(released).to.deep.equal([0, 1, 2]);
    await all;
    expect(released).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('releases some at once again after a quiet period', async () => {
    await waitFor(
      async () => {
        const { released, all } = takeTurns(3);
        await immediate();
        const atOnce = released.length;
        await all;
        return atOnce === 3;
      },
      { describe: 'three are released at once' },
    );
  });
});
