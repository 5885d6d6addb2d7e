import type { DeviceFilters, RolloutPolicy, StatusBreakdown } from '../../contract/admin-api.ts';
import {
  TARGET_STATUSES,
  type DeploymentStatus,
  type DeviceActivity,
  type FailureCause,
  type PausedReason,
  type Protection,
  type RolloutStrategy,
  type SkipReason,
  type TargetStatus,
} from '../../contract/states.ts';

export interface Deployment {
  id: string;
  organizationId: string;
  name: string;
  targetVersion: string;
  strategy: RolloutStrategy;
  rolloutPercentage: number | null;
  batchSize: number | null;
  status: DeploymentStatus;
  pausedReason: PausedReason | null;
  policy: RolloutPolicy;
  updatePackageUrl: string;
  checksum: string;
  releaseNotes: string;
  deviceFilters: DeviceFilters;
  /** Whether devices that already ran the target version at the creation were left out. */
  skipUpToDate: boolean;
  /** The attributes that distinguished the kinds of devices of a canary. */
  stratifyBy: string[];
  manifest: string | null;
  signature: string | null;
  /** The product: the name in the manifest; `null`: unknown. */
  packageName: string | null;
  totalDevices: number;
  /** Targets at positions below this number are released. */
  releasedDevices: number;
  /** The number of failures that the latest resume accepted. */
  acceptedFailures: number;
  scheduledAt: Date | null;
  startedAt: Date | null;
  /** The latest resume or retry; pickup timeouts start here at the earliest. */
  resumedAt: Date | null;
  /** A retry of the targets that had failed by this time is in progress; `null`: no retry is. */
  retryFailedBefore: Date | null;
  completedAt: Date | null;
  createdAt: Date;
  createdBy: string | null;
}

/** The content of a creation or preview request, validated and with defaults. */
export interface DeploymentDraft {
  name: string;
  targetVersion: string;
  strategy: RolloutStrategy;
  rolloutPercentage: number | null;
  batchSize: number | null;
  policy: RolloutPolicy;
  updatePackageUrl: string;
  checksum: string;
  releaseNotes: string;
  deviceFilters: DeviceFilters;
  skipUpToDate: boolean;
  stratifyBy: string[];
  manifest: string | null;
  signature: string | null;
  /** The name in the manifest; `null`: unknown. */
  packageName: string | null;
  scheduledAt: Date | null;
}

/** A deployment with its batches, read in one statement. */
export interface DeploymentState {
  deployment: Deployment;
  /** In order of their numbers. */
  batches: Batch[];
}

/** A range of target positions that is released together, with the number of targets by status. */
export interface Batch {
  number: number;
  firstPosition: number;
  size: number;
  releaseRequestedAt: Date | null;
  releasedAt: Date | null;
  breakdown: StatusBreakdown;
  rolledBackOnRequest: number;
  /** Completed updates whose duration is known, and the sum of their durations. */
  timedUpdates: number;
  updateSeconds: number;
}

/** Completed updates, and the mean of their durations. */
export interface UpdateDurations {
  updates: number;
  meanSeconds: number;
}

/** `null`: no update has a duration. */
export function toDurations(updates: number, seconds: number): UpdateDurations | null {
  return updates === 0 ? null : { updates, meanSeconds: seconds / updates };
}

/** The row of a target (docs/contract.md, Words and States). */
export interface Target {
  deploymentId: string;
  deviceId: string;
  position: number;
  status: TargetStatus;
  attempt: number;
  progress: number | null;
  /** Only while the status is `verifying`. */
  activity: DeviceActivity | null;
  previousVersion: string | null;
  startedAt: Date | null;
  completedAt: Date | null;
  lastReportAt: Date | null;
  errorMessage: string | null;
  /** Only of a target that failed or rolled back. */
  failureCause: FailureCause | null;
  timedOut: boolean;
  /** It decides whether a later report is still accepted (`rules/target-reports.ts`). */
  skipReason: SkipReason | null;
  rollbackVersion: string | null;
  rollbackRequestedBy: string | null;
  rolledBackOnRequest: boolean;
  /** When the update had finished, if it was then rolled back on request; otherwise `null`, see `completedAt`. */
  updateFinishedAt: Date | null;
}

/** Why a device is gone: it was removed, moved to another organization, or has never registered. */
export type GoneReason = Extract<SkipReason, 'removed' | 'moved' | 'not_registered'>;

/** Devices of one type that run the same versions. */
export interface DeviceGroup {
  deviceType: string | null;
  /** The version of the device's main product, which filters compare. */
  version: string | null;
  /** The version of the deployment's product. */
  installed: string | null;
  count: number;
}

/** Devices of a {@link DeviceGroup} with the same protection; `null`: they have not reported it. */
export interface ProtectedGroup extends DeviceGroup {
  protection: Protection | null;
}

/** Devices of one type that run the same version of the deployment's product and have the same values of the attributes. */
export interface CanaryKind {
  deviceType: string | null;
  version: string | null;
  /** By attribute; `null`: the device does not have it. */
  attributes: Record<string, string | null>;
  count: number;
  /** How many of them are online. */
  online: number;
}

/** The kinds of devices of a canary. */
export interface CanaryKinds {
  /** The largest ones, in order of priority. */
  kinds: CanaryKind[];
  /** The devices of all further kinds, which count as one kind with the lowest priority. `null`: there are none. */
  others: Pick<CanaryKind, 'count' | 'online'> | null;
}

export interface TargetKey {
  deploymentId: string;
  deviceId: string;
}

export function emptyBreakdown(): StatusBreakdown {
  return Object.fromEntries(TARGET_STATUSES.map((status) => [status, 0])) as StatusBreakdown;
}

/** The counters of the whole deployment: the sums over its batches. */
export function sumBreakdowns(batches: { breakdown: StatusBreakdown }[]): StatusBreakdown {
  const sum = emptyBreakdown();
  for (const { breakdown } of batches) {
    for (const status of TARGET_STATUSES) sum[status] += breakdown[status];
  }
  return sum;
}
