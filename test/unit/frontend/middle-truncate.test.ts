import { expect } from 'chai';
import { splitName } from '../../../frontend/shared/middle-truncate.ts';

const FAMILY = '👨‍👩‍👧‍👦';
const ACCENTED = 'e\u0301';

describe('names truncated in the middle', () => {
  const cuts: [string, string, string][] = [
    ['gateway-berlin-hall-3-line-00017', 'gateway-berlin-hall-3-li', 'ne-00017'],
    ['v2.1.0', 'v2.', '1.0'],
    ['a', 'a', ''],
    ['', '', ''],
    [`berlin-${FAMILY.repeat(9)}`, `berlin-${FAMILY}`, FAMILY.repeat(8)],
    [`the-caf${ACCENTED.repeat(8)}-x`, `the-caf${ACCENTED.repeat(2)}`, `${ACCENTED.repeat(6)}-x`],
  ];
  for (const [name, head, tail] of cuts) {
    it(`G46 keep the last characters of ${JSON.stringify(name)} and split none of them`, () => {
      expect(splitName(name)).to.deep.equal({ head, tail });
      expect(head + tail).to.equal(name);
    });
  }
});
