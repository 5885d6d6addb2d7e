import type { DeviceFilters } from '../contract/admin-api.ts';
import { isRegistered } from './registered-device.sql.ts';
import { DEFAULT_VERSION_OPERATOR } from './version-filter.ts';

export interface SqlPart {
  sql: string;
  bindings: Record<string, string | string[] | null>;
}

/** The devices that a deployment selects. */
export interface DeviceSelection {
  filters: DeviceFilters;
  /** Devices that run this version are left out; `null`: none are. */
  excludedVersion: string | null;
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

/** Materialized, because otherwise the planner compares versions before it removes duplicates. */
const DISTINCT_VERSIONS = `
        WITH versions AS MATERIALIZED (
          SELECT DISTINCT firmware_version FROM edge_devices
          WHERE organization_id = :organization_id AND firmware_version IS NOT NULL
        )
        SELECT versions.firmware_version FROM versions`;

/**
 * Conditions on `edge_devices d` for the targets of a deployment: the filters of docs/contract.md, Filters, and
 * `excludedVersion`. Versions are compared once per distinct version of the organization, not once per device.
 */
export function matchingDevices(
  organizationId: string,
  { filters, excludedVersion }: DeviceSelection,
): SqlPart {
  const passing = passingFilters(organizationId, filters);
  if (excludedVersion === null) return passing;
  return {
    sql: `${passing.sql} AND (d.firmware_version IS NULL OR d.firmware_version NOT IN (
        ${DISTINCT_VERSIONS}
        WHERE ota_version_matches(versions.firmware_version::text, '=', :excluded_version)
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
        ${DISTINCT_VERSIONS}
        WHERE ota_version_matches(versions.firmware_version::text, :version_operator, :current_version)
      )
      OR (d.firmware_version IS NULL AND :version_operator = '!='))`,
    bindings: {
      ...scope.bindings,
      version_operator: filters.version_operator ?? DEFAULT_VERSION_OPERATOR,
      current_version: filters.current_version,
    },
  };
}
