import { expect } from 'chai';
import fc from 'fast-check';

import { VERSION_OPERATORS } from '../../backend/contract/states.ts';
import { compareVersions, versionMatches } from '../../backend/contract/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { ASCENDING, MATCHES, UNREADABLE, anyVersion, readableVersion } from './version-cases.ts';

/** Every pair of the table with its order. */
const PAIRS = ASCENDING.flatMap((lefts, left) =>
  ASCENDING.flatMap((rights, right) =>
    lefts.flatMap((a) => rights.map((b) => [a, b, Math.sign(left - right)] as const)),
  ),
);
const UNREADABLE_PAIRS = UNREADABLE.flatMap((text) => [
  [text, 'v1.0.0', null] as const,
  ['v1.0.0', text, null] as const,
  [text, text, null] as const,
]);

describe('order of versions', () => {
  it('is that of their numbers', () => {
    for (const [a, b, order] of PAIRS) expect(compareVersions(a, b), `${a} ? ${b}`).to.equal(order);
  });

  it('does not exist for what cannot be read as numbers', () => {
    for (const [a, b] of UNREADABLE_PAIRS) {
      expect(compareVersions(a, b), `${JSON.stringify(a)} ? ${JSON.stringify(b)}`).to.equal(null);
    }
  });

  it('is total: turned around it is the opposite', () => {
    fc.assert(
      fc.property(readableVersion, readableVersion, (a, b) => {
        const order = compareVersions(a, b);
        expect(order).to.be.oneOf([-1, 0, 1]);
        expect(compareVersions(b, a)).to.equal(order === 0 ? 0 : -(order as number));
        expect(compareVersions(a, a)).to.equal(0);
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(fc.tuple(readableVersion, readableVersion, readableVersion), (three) => {
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

  it('does not look at a leading v, missing parts and build metadata', () => {
    fc.assert(
      fc.property(readableVersion, (version) => {
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
    it(`${version ?? 'an unknown version'} ${operator} ${reference}: ${passes ? 'yes' : 'no'}`, () => {
      expect(versionMatches(version, operator, reference)).to.equal(passes);
    });
  }
});

describe('version rules in the database', () => {
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

  it('order the same table', async () => {
    const pairs = [...PAIRS, ...UNREADABLE_PAIRS];
    const orders = await compareAll(pairs);
    pairs.forEach(([a, b, order], index) => {
      expect(orders[index], `${JSON.stringify(a)} ? ${JSON.stringify(b)}`).to.equal(order);
    });
  });

  it('filter the same table', async () => {
    expect(await matchAll(MATCHES)).to.deep.equal(MATCHES.map(([, , , passes]) => passes));
  });

  it('agree with those of the server on any pair', async () => {
    const batch = fc.array(fc.tuple(anyVersion, anyVersion), { minLength: 50, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(batch, async (pairs) => {
        expect(await compareAll(pairs)).to.deep.equal(pairs.map(([a, b]) => compareVersions(a, b)));
      }),
      { numRuns: 15 },
    );
  });

  it('agree with those of the server on any filter', async () => {
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
