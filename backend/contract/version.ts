import type { VersionOperator } from './states.ts';

/**
 * The version order of docs/contract.md, Filters: parts are compared as numbers, a missing part counts as 0, a leading
 * `v` is ignored, a pre-release is less than its release (identifiers as in Semantic Versioning), and build metadata is
 * ignored. The SQL function `ota_compare_versions` implements the same order; tests compare the two.
 */
const PATTERN =
  /^[vV]?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;
const NUMBER = /^\d+$/;

interface ParsedVersion {
  numbers: bigint[];
  prerelease: string[] | null;
}

function parseVersion(text: string): ParsedVersion | null {
  const match = PATTERN.exec(text);
  if (!match?.[1]) return null;
  return {
    numbers: match[1].split('.').map(BigInt),
    prerelease: match[2] === undefined ? null : match[2].split('.'),
  };
}

/** −1, 0 or 1; `null` if either version cannot be parsed. */
export function compareVersions(left: string, right: string): -1 | 0 | 1 | null {
  const a = parseVersion(left);
  const b = parseVersion(right);
  if (!a || !b) return null;
  return compareNumbers(a.numbers, b.numbers) || comparePrereleases(a.prerelease, b.prerelease);
}

function compareNumbers(a: bigint[], b: bigint[]): -1 | 0 | 1 {
  for (let part = 0; part < Math.max(a.length, b.length); part += 1) {
    const order = sign(a[part] ?? 0n, b[part] ?? 0n);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePrereleases(a: string[] | null, b: string[] | null): -1 | 0 | 1 {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  for (let part = 0; part < Math.max(a.length, b.length); part += 1) {
    const left = a[part];
    const right = b[part];
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numeric identifiers are less than others; others are compared by bytes. */
function compareIdentifiers(a: string, b: string): -1 | 0 | 1 {
  const numericA = NUMBER.test(a);
  const numericB = NUMBER.test(b);
  if (numericA && numericB) return sign(BigInt(a), BigInt(b));
  if (numericA !== numericB) return numericA ? -1 : 1;
  return sign(a, b);
}

function sign<T extends bigint | string>(a: T, b: T): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether two texts name the same version, like `v2.1.0` and `2.1`; `null` equals only `null`. */
export function isSameVersion(one: string | null, other: string | null): boolean {
  return other === null ? one === null : versionMatches(one, '=', other);
}

/**
 * Whether a device's version matches a filter (docs/contract.md, Filters). A version that cannot be parsed is compared
 * as text by `=` and `!=` and never matches an ordering. An unknown version (`null`) is `!=` to every version.
 */
export function versionMatches(
  version: string | null,
  operator: VersionOperator,
  reference: string,
): boolean {
  if (version === null) return operator === '!=';
  const order = compareVersions(version, reference);
  switch (operator) {
    case '=':
      return order === null ? version === reference : order === 0;
    case '!=':
      return order === null ? version !== reference : order !== 0;
    case '<':
      return order !== null && order < 0;
    case '<=':
      return order !== null && order <= 0;
    case '>':
      return order !== null && order > 0;
    case '>=':
      return order !== null && order >= 0;
  }
}
