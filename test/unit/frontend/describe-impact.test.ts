import { expect } from 'chai';
import type { DeploymentImpact } from '../../../backend/contract/admin-api.ts';
import { describeProtection, matchesCount } from '../../../frontend/shared/describe-impact.ts';

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

describe('what happens to the devices if the update fails', () => {
  const describeCounts = (none: number, unknown: number) =>
    describeProtection({
      devices: 45,
      protection: { none, files: 0, files_and_boot: 0, slots: 0, unknown },
    } as DeploymentImpact);

  const CASES: [none: number, unknown: number, warning: string | null, note: string | null][] = [
    [0, 0, null, null],
    [
      12,
      5,
      '12 of 45 devices would not come back by themselves if the update fails.',
      '5 have not reported whether they would.',
    ],
    [
      1,
      1,
      '1 of 45 devices would not come back by itself if the update fails.',
      '1 has not reported whether it would.',
    ],
    [2, 0, '2 of 45 devices would not come back by themselves if the update fails.', null],
    [
      0,
      3,
      null,
      '3 of 45 devices have not reported whether they would come back by themselves if the update fails.',
    ],
  ];
  for (const [none, unknown, warning, note] of CASES) {
    it(`${none} that nothing brings back, ${unknown} unknown`, () => {
      expect(describeCounts(none, unknown)).to.deep.equal({ warning, note });
    });
  }
});
