/** Sums over groups of devices. */
import type { DeviceGroup } from '../model/deployment.types.ts';

export function sumOf(groups: readonly DeviceGroup[]): number {
  return groups.reduce((sum, group) => sum + group.count, 0);
}

/** Numbers of devices by type or version, largest first. */
function groupBy(
  groups: readonly DeviceGroup[],
  key: 'deviceType' | 'version' | 'installed',
): [string | null, number][] {
  const sums = new Map<string | null, number>();
  for (const group of groups) sums.set(group[key], (sums.get(group[key]) ?? 0) + group.count);
  return [...sums].sort((a, b) => b[1] - a[1] || String(a[0]).localeCompare(String(b[0])));
}

export function byType(
  groups: readonly DeviceGroup[],
): { device_type: string | null; count: number }[] {
  return groupBy(groups, 'deviceType').map(([device_type, count]) => ({ device_type, count }));
}

/** @param of the main product (`version`), or the deployment's (`installed`) */
export function byVersion(
  groups: readonly DeviceGroup[],
  of: 'version' | 'installed',
): { version: string | null; count: number }[] {
  return groupBy(groups, of).map(([version, count]) => ({ version, count }));
}
