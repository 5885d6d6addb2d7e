import type { DevicePage, OtaMetrics } from '../contract/admin-api.ts';
import { isSameVersion } from '../contract/version.ts';
import type { CensusGroup } from './census.ports.ts';

/** Maximum number of types or versions in the facets. */
const MAX_FACETS = 1_000;

export function devicesOf(groups: readonly CensusGroup[]): number {
  return groups.reduce((sum, group) => sum + group.devices, 0);
}

/** The number of devices with a wanted version, and how many of them run it. */
export function complianceOf(groups: readonly CensusGroup[]): {
  wanted: number;
  compliant: number;
} {
  let wanted = 0;
  let compliant = 0;
  for (const group of groups) {
    if (group.wanted === null) continue;
    wanted += group.devices;
    const installed = group.installed === undefined ? group.version : group.installed;
    if (isSameVersion(installed, group.wanted)) compliant += group.devices;
  }
  return { wanted, compliant };
}

/** Versions by device type, those with the most devices first. */
export function versionsOf(groups: readonly CensusGroup[]): OtaMetrics['versions'] {
  return sumBy(groups, ({ deviceType, version }) => ({ device_type: deviceType, version }));
}

/** Device types and versions to filter by, those with the most devices first. */
export function facetsOf(groups: readonly CensusGroup[]): DevicePage['facets'] {
  return {
    types: sumBy(groups, ({ deviceType }) => ({ device_type: deviceType })).slice(0, MAX_FACETS),
    versions: sumBy(groups, ({ version }) => ({ version })).slice(0, MAX_FACETS),
  };
}

function sumBy<Named extends Record<string, string | null>>(
  groups: readonly CensusGroup[],
  nameOf: (group: CensusGroup) => Named,
): (Named & { count: number })[] {
  const sums = new Map<string, Named & { count: number }>();
  for (const group of groups) {
    const named = nameOf(group);
    const key = JSON.stringify(Object.values(named));
    sums.set(key, { ...named, count: group.devices + (sums.get(key)?.count ?? 0) });
  }
  return [...sums]
    .sort(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1))
    .map(([, sum]) => sum);
}
