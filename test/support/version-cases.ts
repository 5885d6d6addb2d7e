/** Versions and filters with their expected results, and generators for more. */
import fc from 'fast-check';

import type { VersionOperator } from '../../backend/contract/states.ts';

/** In ascending order; versions in one row are equal. */
const ASCENDING: readonly (readonly string[])[] = [
  ['0', 'v0', '0.0.0'],
  ['0.0.1-alpha'],
  ['0.0.1'],
  ['1.0.0-1'],
  ['1.0.0-2', '1.0.0-02'],
  ['1.0.0-10'],
  ['1.0.0--'],
  ['1.0.0-ALPHA'],
  ['1.0.0-alpha'],
  ['1.0.0-alpha.1'],
  ['1.0.0-alpha.beta'],
  ['1.0.0-beta'],
  ['1.0.0-beta.2'],
  ['1.0.0-beta.11', 'V1-beta.11'],
  ['1.0.0-rc-1'],
  ['1.0.0', 'v1', 'V1.0', '1.0.0.0', '1.0.0+build.7', '01.0'],
  ['1.0.0.1-rc'],
  ['1.0.0.1'],
  ['v2.9.0'],
  ['v2.10.0', '2.10'],
  ['v2.10.1'],
  ['20260101.0'],
  ['99999999999999999999.1'],
  ['100000000000000000000'],
];

/** Texts that cannot be parsed as version numbers. */
const UNPARSABLE: readonly string[] = [
  '',
  ' ',
  'v',
  'latest',
  'ver1.0',
  'vv1.0',
  '1.',
  '.1',
  '1..2',
  '1.0-',
  '1.0-a..b',
  '1.0+',
  '1.0 ',
  ' 1.0',
  '1.0\n',
  '1.x',
  '1,0',
  '-1',
  '1.0-ä',
  '１.０',
];

/** Every pair of them with its order. */
export const PAIRS = ASCENDING.flatMap((lefts, left) =>
  ASCENDING.flatMap((rights, right) =>
    lefts.flatMap((a) => rights.map((b) => [a, b, Math.sign(left - right)] as const)),
  ),
);
/** Pairs without an order. */
export const UNPARSABLE_PAIRS = UNPARSABLE.flatMap((text) => [
  [text, 'v1.0.0', null] as const,
  ['v1.0.0', text, null] as const,
  [text, text, null] as const,
]);

/** Whether a version passes a filter. */
export const MATCHES: readonly [
  version: string | null,
  operator: VersionOperator,
  reference: string,
  passes: boolean,
][] = [
  ['v2.9.0', '<', 'v2.10.0', true],
  ['v2.10.0', '<', 'v2.9.0', false],
  ['v2.10.0', '<', 'v2.10.0', false],
  ['v2.10.0', '<=', '2.10', true],
  ['v2.10.0', '>=', '2.10', true],
  ['v2.10.0', '>', '2.10', false],
  ['v2.10.1', '>', '2.10', true],
  ['2.0.0-rc.1', '<', 'v2.0.0', true],
  ['2.0.0', '=', 'v2', true],
  ['2.0.0', '!=', 'v2', false],
  ['2.0.1', '!=', 'v2', true],
  ['latest', '=', 'latest', true],
  ['latest', '=', 'Latest', false],
  ['latest', '!=', 'latest', false],
  ['latest', '!=', 'v1', true],
  ['v1', '!=', 'latest', true],
  ['latest', '<', 'v1', false],
  ['latest', '<=', 'latest', false],
  ['latest', '>', 'v1', false],
  ['latest', '>=', 'latest', false],
  ['v1', '<', 'latest', false],
  ['v1', '>', 'latest', false],
  [null, '!=', 'v1', true],
  [null, '=', 'v1', false],
  [null, '<', 'v1', false],
  [null, '<=', 'v1', false],
  [null, '>', 'v1', false],
  [null, '>=', 'v1', false],
  [null, '!=', 'latest', true],
];

const number = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 3 }).map(String) },
  { weight: 1, arbitrary: fc.nat({ max: 30 }).map((value) => `0${value}`) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String) },
);
const identifier = fc.oneof(number, fc.constantFrom('a', 'A', 'b', 'rc', 'rc-1', '-', '1a', 'a1'));

/** Parsable versions from few parts, so that equal and similar ones are frequent. */
export const parsableVersion: fc.Arbitrary<string> = fc
  .record({
    prefix: fc.constantFrom('', 'v', 'V'),
    numbers: fc.array(number, { minLength: 1, maxLength: 4 }),
    prerelease: fc.option(fc.array(identifier, { minLength: 1, maxLength: 3 })),
    build: fc.constantFrom('', '+7', '+a.b-c'),
  })
  .map(({ prefix, numbers, prerelease, build }) => {
    const rest = prerelease === null ? '' : `-${prerelease.join('.')}`;
    return `${prefix}${numbers.join('.')}${rest}${build}`;
  });

/** Versions, texts that look like versions, and any other text that the database can store. */
export const anyVersion: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: parsableVersion },
  { weight: 1, arbitrary: fc.constantFrom(...UNPARSABLE) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('v', '1', '0', '.', '-', '+', 'a') }) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000')),
  },
);
