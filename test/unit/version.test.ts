import { expect } from 'chai';
import fc from 'fast-check';

import { VERSION_OPERATORS } from '../../backend/contract/states.ts';
import { compareVersions, versionMatches } from '../../backend/contract/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { ASCENDING, MATCHES, UNPARSABLE, anyVersion, parsableVersion } from './version-cases.ts';

/** Every pair of the table with its order. */
const PAIRS = ASCENDING.flatMap((lefts, left) =>
  ASCENDING.flatMap((rights, right) =>
    lefts.flatMap((a) => rights.map((b) => [a, b, Math.sign(left - right)] as const)),
  ),
);
const UNPARSABLE_PAIRS = UNPARSABLE.flatMap((text) => [
  [text, 'v1.0.0', null] as const,
  ['v1.0.0', text, null] as const,
  [text, text, null] as const,
]);

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

describe('the version rules in SQL', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase();
  });

  after(() => database.drop());

  async function compareAll(pairs: readonly (readonly [string, string, ...unknown[]])[]) {
    const { rows } = await database.knex.raw<{ rows: { compared: number | null }[] }>(
      `SELECT ota_compare_versions(p.a, p.b) AS compared
       FROM unnest(CAST(:a AS text[]), CAST(:b AS text[])) WITH ORDINALITY AS p (a, b, i) ORDER BY i`,
      { a: pairs.map(([a]) => a), b: pairs.map(([, b]) => b) },
    );
    return rows.map(({ compared }) => compared);
  }

  async function matchAll(
    cases: readonly (readonly [string | null, string, string, ...unknown[]])[],
  ) {
    const { rows } = await database.knex.raw<{ rows: { matches: boolean }[] }>(
      `SELECT ota_version_matches(p.v, p.o, p.r) AS matches
       FROM unnest(CAST(:v AS text[]), CAST(:o AS text[]), CAST(:r AS text[]))
         WITH ORDINALITY AS p (v, o, r, i) ORDER BY i`,
      {
        v: cases.map(([version]) => version),
        o: cases.map(([, operator]) => operator),
        r: cases.map(([, , reference]) => reference),
      } as never,
    );
    return rows.map(({ matches }) => matches);
  }

  it('give the expected order for every pair', async () => {
    const pairs = [...PAIRS, ...UNPARSABLE_PAIRS];
    const orders = await compareAll(pairs);
    pairs.forEach(([a, b, order], index) => {
      expect(orders[index], `${JSON.stringify(a)} ? ${JSON.stringify(b)}`).to.equal(order);
    });
  });

  it('give the expected result for every filter', async () => {
    expect(await matchAll(MATCHES)).to.deep.equal(MATCHES.map(([, , , passes]) => passes));
  });

  it('agree with TypeScript on any pair', async () => {
    const batch = fc.array(fc.tuple(anyVersion, anyVersion), { minLength: 50, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(batch, async (pairs) => {
        expect(await compareAll(pairs)).to.deep.equal(pairs.map(([a, b]) => compareVersions(a, b)));
      }),
      { numRuns: 15 },
    );
  });

  it('agree with TypeScript on any filter', async () => {
    const filter = fc.tuple(
      fc.option(anyVersion, { freq: 20 }),
      fc.constantFrom(...VERSION_OPERATORS),
      anyVersion,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(filter, { minLength: 50, maxLength: 200 }), async (filters) => {
        expect(await matchAll(filters)).to.deep.equal(
          filters.map(([version, operator, reference]) =>
            versionMatches(version, operator, reference),
          ),
        );
      }),
      { numRuns: 15 },
    );
  });
});
