import { expect } from 'chai';
import fc from 'fast-check';

import { VERSION_OPERATORS } from '../../backend/contract/states.ts';
import { compareVersions, versionMatches } from '../../backend/contract/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { MATCHES, PAIRS, UNPARSABLE_PAIRS, anyVersion } from '../support/version-cases.ts';

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
