import { expect } from 'chai';
import fc from 'fast-check';

import { compareVersions, versionMatches } from '../../backend/contract/version.ts';
import { MATCHES, PAIRS, UNPARSABLE_PAIRS, parsableVersion } from '../support/version-cases.ts';

describe('the order of versions', () => {
  it('follows their numbers', () => {
    for (const [a, b, order] of PAIRS) expect(compareVersions(a, b), `${a} ? ${b}`).to.equal(order);
  });

  it('is undefined for texts that cannot be parsed', () => {
    for (const [a, b] of UNPARSABLE_PAIRS) {
      expect(compareVersions(a, b), `${JSON.stringify(a)} ? ${JSON.stringify(b)}`).to.equal(null);
    }
  });

  it('is total and antisymmetric', () => {
    fc.assert(
      fc.property(parsableVersion, parsableVersion, (a, b) => {
        const order = compareVersions(a, b);
        expect(order).to.be.oneOf([-1, 0, 1]);
        expect(compareVersions(b, a)).to.equal(order === 0 ? 0 : -(order as number));
        expect(compareVersions(a, a)).to.equal(0);
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(fc.tuple(parsableVersion, parsableVersion, parsableVersion), (three) => {
        const [a, b, c] = [...three].sort((x, y) => compareVersions(x, y) as number) as [
          string,
          string,
          string,
        ];
        expect(compareVersions(a, b)).to.be.at.most(0);
        expect(compareVersions(b, c)).to.be.at.most(0);
        expect(compareVersions(a, c)).to.be.at.most(0);
        if (compareVersions(a, b) === 0) {
          expect(compareVersions(a, c)).to.equal(compareVersions(b, c));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('ignores a leading v, missing parts and build metadata', () => {
    fc.assert(
      fc.property(parsableVersion, (version) => {
        const [core = '', build = ''] = version.replace(/^v/i, '').split('+');
        const [numbers = '', ...prerelease] = core.split('-');
        const same = ['v', numbers, '.0.0', ...prerelease.map((part) => `-${part}`)].join('');
        expect(compareVersions(version, same)).to.equal(0);
        expect(compareVersions(version, `${same}+other${build}`)).to.equal(0);
      }),
    );
  });
});

describe('version filters', () => {
  for (const [version, operator, reference, passes] of MATCHES) {
    it(`${version ?? 'an unknown version'} ${operator} ${reference} is ${passes}`, () => {
      expect(versionMatches(version, operator, reference)).to.equal(passes);
    });
  }
});
