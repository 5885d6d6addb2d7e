import { expect } from 'chai';
import { isSameProduct } from '../../../backend/deployments/rules/products.ts';

describe('two deployments are for the same product', () => {
  const TABLE: [one: string | null, other: string | null, same: boolean][] = [
    ['pump', 'pump', true],
    ['pump', 'camera', false],
    ['pump', 'Pump', false],
    ['pump', null, true],
    [null, null, true],
  ];
  for (const [one, other, same] of TABLE) {
    it(`${same ? 'if' : 'not if'} they install ${one ?? 'a package'} and ${other ?? 'a package'}`, () => {
      expect(isSameProduct({ packageName: one }, { packageName: other })).to.equal(same);
      expect(isSameProduct({ packageName: other }, { packageName: one })).to.equal(same);
    });
  }
});
