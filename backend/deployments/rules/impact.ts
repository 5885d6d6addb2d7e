import type {
  DeploymentImpact,
  OverlappingDeployment,
  ProtectionCounts,
  VersionChanges,
} from '../../contract/admin-api.ts';
import type { ImpactReason, RolloutStrategy } from '../../contract/states.ts';
import { compareVersions, isSameVersion } from '../../contract/version.ts';
import type { DeviceGroup, ProtectedGroup } from '../model/deployment.types.ts';
import { byType, sumOf } from './device-groups.ts';

/** A rollout to more than this share of the fleet at once must be confirmed. */
const LARGE_SHARE = 1 / 5;

export interface ImpactFacts {
  strategy: RolloutStrategy;
  targetVersion: string;
  /** The devices were picked by id. */
  isPicked: boolean;
  /** Devices that would get the update. */
  groups: ProtectedGroup[];
  /** Registered devices of the organization. */
  fleetDevices: number;
  overlapping: OverlappingDeployment[];
}

/** What a rollout would do to the fleet, and why it is risky (docs/contract.md, Admin API). */
export function impactOf(facts: ImpactFacts): DeploymentImpact {
  const { groups, fleetDevices, overlapping } = facts;
  const impact = {
    devices: sumOf(groups),
    fleet_devices: fleetDevices,
    changes: versionChanges(groups, facts.targetVersion),
    protection: protectionCounts(groups),
    by_type: byType(groups),
    overlapping,
  };
  return { ...impact, confirm_because: reasonsToConfirm(facts, impact) };
}

function versionChanges(groups: DeviceGroup[], targetVersion: string): VersionChanges {
  const changes: VersionChanges = { upgrade: 0, downgrade: 0, same: 0, unknown: 0 };
  for (const { installed, count } of groups) changes[changeOf(installed, targetVersion)] += count;
  return changes;
}

function protectionCounts(groups: ProtectedGroup[]): ProtectionCounts {
  const counts: ProtectionCounts = { none: 0, files: 0, files_and_boot: 0, slots: 0, unknown: 0 };
  for (const { protection, count } of groups) counts[protection ?? 'unknown'] += count;
  return counts;
}

function changeOf(version: string | null, targetVersion: string): keyof VersionChanges {
  if (version === null) return 'unknown';
  if (isSameVersion(version, targetVersion)) return 'same';
  const order = compareVersions(version, targetVersion);
  if (order === null) return 'unknown';
  return order < 0 ? 'upgrade' : 'downgrade';
}

function reasonsToConfirm(
  { strategy, isPicked }: ImpactFacts,
  impact: Omit<DeploymentImpact, 'confirm_because'>,
): ImpactReason[] {
  const reasons: ImpactReason[] = [];
  if (impact.changes.downgrade > 0) reasons.push('downgrade');
  if (impact.by_type.length > 1) reasons.push('several_types');
  const atOnce = strategy === 'immediate' || (strategy === 'manual' && !isPicked);
  if (atOnce && impact.devices > impact.fleet_devices * LARGE_SHARE) reasons.push('large_share');
  return reasons;
}
