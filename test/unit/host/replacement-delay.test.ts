import { expect } from 'chai';

import { replacementDelay } from '../../../dev/host/processes.ts';

describe('the delay before a process is replaced', () => {
  it('doubles with each process that ran only briefly, up to half a minute', () => {
    const delays = [0, 1, 2, 3, 6, 7, 8, 1_000].map(replacementDelay);
    expect(delays).to.deep.equal([250, 500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
  });
});
