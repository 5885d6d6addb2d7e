import type { DevicePage, OtaMetrics } from '../contract/admin-api.ts';
import { isSameVersion } from '../contract/version.ts';
import type { CensusGroup } from './census.ports.ts';

/** Types or versions that are told apart in a choice; a list of more helps nobody. */
const MAX_FACETS = 1_000;

export function devicesOf(groups: readonly CensusGroup[]): number {
  return groups.reduce((sum, group) => sum + group.devices, 0);
}

/** Devices for which a version is wanted, and those of them that run it. */
export function complianceOf(groups: readonly CensusGroup[]): {
  wanted: number;
  compliant: number;
} {
  let wanted = 0;
  let compliant = 0;
  for (const group of groups) {
    if (group.wanted === null) continue;
    wanted += group.devices;
    if (isSameVersion(group.version, group.wanted)) compliant += group.devices;
  }
  return { wanted, compliant };
}

/** Most devices first. */
export function versionsOf(groups: readonly CensusGroup[]): OtaMetrics['versions'] {
  return sumBy(groups, ({ deviceType, version }) => ({ device_type: deviceType, version }));
}

/** What there is to choose from, most devices first. */
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
