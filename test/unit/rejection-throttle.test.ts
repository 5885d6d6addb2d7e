import { setImmediate as immediate } from 'node:timers/promises';

import { expect } from 'chai';

import { RejectionThrottle } from '../../backend/api/rejection-throttle.ts';
import { waitFor } from '../../dev/wait-for.ts';

describe('the pace of refusals', () => {
  const pace = new RejectionThrottle({ perInterval: 3, intervalMs: 5 });

  function takeTurns(count: number): { gone: number[]; all: Promise<unknown> } {
    const gone: number[] = [];
    const all = Promise.all(
      Array.from({ length: count }, async (_, index) => {
        await pace.wait();
        gone.push(index);
      }),
    );
    return { gone, all };
  }

  it('lets a few out at once, and the others one turn after the other, in their order', async () => {
    const { gone, all } = takeTurns(10);
    await Promise.resolve();
    expect(gone).to.deep.equal([0, 1, 2]);
    await all;
    expect(gone).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('lets some out at once again when it has been quiet', async () => {
    await waitFor(
      async () => {
        const { gone, all } = takeTurns(3);
        await immediate();
        const atOnce = gone.length;
        await all;
        return atOnce === 3;
      },
      { describe: 'three are let out at once' },
    );
  });
});
