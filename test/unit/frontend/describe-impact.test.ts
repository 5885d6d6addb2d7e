import { expect } from 'chai';
import { matchesCount } from '../../../frontend/shared/describe-impact.ts';

describe('the confirmation of a risky rollout', () => {
  it('G42 accepts the number of devices in any usual format, and no other number', () => {
    for (const typed of ['1200', '1,200', ' 1 200 ', '1.200', "1'200"]) {
      expect(matchesCount(typed, 1_200), typed).to.equal(true);
    }
    for (const typed of ['', '0', '120', '12000', '1200 devices', '-1200']) {
      expect(matchesCount(typed, 1_200), typed).to.equal(false);
    }
  });
});
