import type { DeviceFilters } from '../contract/admin-api.ts';
import type { VersionOperator } from '../contract/states.ts';
import { compareVersions, isSameVersion, versionMatches } from '../contract/version.ts';

export const DEFAULT_VERSION_OPERATOR: VersionOperator = '!=';

/** Whether a device with this version passes the version filter (docs/contract.md, Filters). */
export function passesVersionFilter(version: string | null, filters: DeviceFilters): boolean {
  if (filters.current_version === undefined) return true;
  const operator = filters.version_operator ?? DEFAULT_VERSION_OPERATOR;
  return versionMatches(version, operator, filters.current_version);
}

/**
 * The groups that match the version filter and do not run `excludedVersion`. The filter compares the version of the main
 * product, `excludedVersion` that of the deployment's product.
 */
export function filterGroups<Group extends { version: string | null; installed: string | null }>(
  groups: Group[],
  filters: DeviceFilters,
  excludedVersion: string | null,
): Group[] {
  return groups.filter(
    ({ version, installed }) =>
      passesVersionFilter(version, filters) &&
      (excludedVersion === null || !isSameVersion(installed, excludedVersion)),
  );
}

/** Whether the version filter leaves a device out because its version cannot be ordered. */
export function isIncomparable(version: string | null, filters: DeviceFilters): boolean {
  const operator = filters.version_operator ?? DEFAULT_VERSION_OPERATOR;
  if (filters.current_version === undefined || operator === '=' || operator === '!=') return false;
  return version === null || compareVersions(version, filters.current_version) === null;
}
