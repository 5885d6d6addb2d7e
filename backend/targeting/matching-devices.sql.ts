import type { DeviceFilters } from '../contract/admin-api.ts';
import { installedVersion, joinProfile } from './device-profile.sql.ts';
import { isRegistered } from './registered-device.sql.ts';
import { DEFAULT_VERSION_OPERATOR } from './version-filter.ts';

export interface SqlPart {
  sql: string;
  bindings: Record<string, string | string[] | null>;
}

/** The devices that a deployment selects. */
export interface DeviceSelection {
  filters: DeviceFilters;
  /** The product that the deployment installs; `null`: unknown. */
  packageName: string | null;
  /** Devices that run this version of the product are left out; `null`: none are. */
  excludedVersion: string | null;
}

/** The devices of a selection. */
export interface MatchingDevices extends SqlPart {
  /** FROM, with the devices as `d`. */
  from: string;
  /** The version of the deployment's product on the device `d`. */
  installed: string;
}

/**
 * Conditions on `edge_devices d`: all filters except the version filter. Devices that never registered do not match.
 */
export function devicesOfAnyVersion(organizationId: string, filters: DeviceFilters): SqlPart {
  const conditions = ['d.organization_id = :organization_id', isRegistered('d')];
  const bindings: SqlPart['bindings'] = { organization_id: organizationId };
  if (filters.device_type !== undefined) {
    conditions.push('d.device_type = :device_type');
    bindings['device_type'] = filters.device_type;
  }
  if (filters.status) {
    conditions.push('d.status = :device_status');
    bindings['device_status'] = filters.status;
  }
  if (filters.device_ids !== undefined) {
    conditions.push('d.id = ANY(CAST(:device_ids AS uuid[]))');
    bindings['device_ids'] = filters.device_ids;
  }
  return { sql: conditions.join(' AND '), bindings };
}

/**
 * The distinct versions of the organization. Materialized, because otherwise the planner compares versions before it
 * removes duplicates.
 *
 * @param version of a device `d`
 */
const distinctVersions = (version: string, from: string): string => `
        WITH versions AS MATERIALIZED (
          SELECT DISTINCT ${version} AS version FROM ${from}
          WHERE d.organization_id = :organization_id AND ${version} IS NOT NULL
        )
        SELECT versions.version FROM versions`;

/**
 * Devices as `d`, and the version of a product on them. The profiles are joined only for a product with a name, whose
 * bindings must then have `package_name`.
 */
export function devicesWithProduct(
  packageName: string | null,
): Pick<MatchingDevices, 'from' | 'installed'> {
  if (packageName === null) return { from: 'edge_devices d', installed: 'd.firmware_version' };
  return {
    from: `edge_devices d ${joinProfile('d')}`,
    installed: installedVersion('d', 'CAST(:package_name AS text)'),
  };
}

/**
 * Conditions on `edge_devices d` for the targets of a deployment: the filters of docs/contract.md, Filters, and
 * `excludedVersion`. Versions are compared once per distinct version of the organization, not once per device.
 */
export function matchingDevices(
  organizationId: string,
  { filters, packageName, excludedVersion }: DeviceSelection,
): MatchingDevices {
  const { sql, bindings } = passingFilters(organizationId, filters);
  const { from, installed } = devicesWithProduct(packageName);
  const passing = { sql, from, installed, bindings: { ...bindings, package_name: packageName } };
  if (excludedVersion === null) return passing;
  return {
    ...passing,
    sql: `${sql} AND (${installed} IS NULL OR ${installed} NOT IN (
        ${distinctVersions(installed, from)}
        WHERE ota_version_matches(versions.version::text, '=', :excluded_version)
      ))`,
    bindings: { ...passing.bindings, excluded_version: excludedVersion },
  };
}

function passingFilters(organizationId: string, filters: DeviceFilters): SqlPart {
  const scope = devicesOfAnyVersion(organizationId, filters);
  if (filters.current_version === undefined) return scope;
  return {
    sql: `${scope.sql} AND (
      d.firmware_version IN (
        ${distinctVersions('d.firmware_version', 'edge_devices d')}
        WHERE ota_version_matches(versions.version::text, :version_operator, :current_version)
      )
      OR (d.firmware_version IS NULL AND :version_operator = '!='))`,
    bindings: {
      ...scope.bindings,
      version_operator: filters.version_operator ?? DEFAULT_VERSION_OPERATOR,
      current_version: filters.current_version,
    },
  };
}
