import type { DeviceFilters, RolloutPolicy, StatusBreakdown } from '../../contract/admin-api.ts';
import {
  TARGET_STATUSES,
  type DeploymentStatus,
  type PausedReason,
  type RolloutStrategy,
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
  /** Devices that ran the target version at the creation were left out. */
  skipUpToDate: boolean;
  manifest: string | null;
  signature: string | null;
  totalDevices: number;
  /** Targets at positions below this number are released. */
  releasedDevices: number;
  /** Failures that a resume by hand has accepted. */
  acceptedFailures: number;
  scheduledAt: Date | null;
  startedAt: Date | null;
  /** The latest resume or retry; pickup times count from here at the earliest. */
  resumedAt: Date | null;
  /** Targets that had failed by then are being retried, in pieces; `null`: no retry is in progress. */
  retryFailedBefore: Date | null;
  completedAt: Date | null;
  createdAt: Date;
  createdBy: string | null;
}

/** What a creation or a preview asks for, after validation and with defaults filled in. */
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
  manifest: string | null;
  signature: string | null;
  scheduledAt: Date | null;
}

/** A deployment with its batches, both as they were at one moment. */
export interface DeploymentState {
  deployment: Deployment;
  /** In order of their numbers. */
  batches: Batch[];
}

/** A range of positions that is released together, with its targets counted by status. */
export interface Batch {
  number: number;
  firstPosition: number;
  size: number;
  releaseRequestedAt: Date | null;
  releasedAt: Date | null;
  breakdown: StatusBreakdown;
  rolledBackOnRequest: number;
}

/** A target's row as transitions read and write it, locked by the transaction that holds it. */
export interface Target {
  deploymentId: string;
  deviceId: string;
  position: number;
  status: TargetStatus;
  attempt: number;
  progress: number | null;
  previousVersion: string | null;
  startedAt: Date | null;
  completedAt: Date | null;
  lastReportAt: Date | null;
  errorMessage: string | null;
  timedOut: boolean;
  skipReason: SkipReason | null;
  rollbackVersion: string | null;
  rollbackRequestedBy: string | null;
  rolledBackOnRequest: boolean;
  /** When an update finished that was rolled back on request; else `completedAt` tells. */
  updateFinishedAt: Date | null;
}

/** Why a target was skipped; decides whether a late real end is still taken. */
export const SKIP_REASONS = [
  'cancelled',
  'superseded',
  'not_checked_in',
  'aborted',
  'removed',
  'moved',
  'not_registered',
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** Why a target's device is none of its organization's any more: not there, another's, never registered. */
export type GoneReason = Extract<SkipReason, 'removed' | 'moved' | 'not_registered'>;

/** Devices of one type that run one version. */
export interface DeviceGroup {
  deviceType: string | null;
  version: string | null;
  count: number;
}

export interface TargetKey {
  deploymentId: string;
  deviceId: string;
}

export function emptyBreakdown(): StatusBreakdown {
  return Object.fromEntries(TARGET_STATUSES.map((status) => [status, 0])) as StatusBreakdown;
}

/** Counters of all batches together: the figures of the deployment. */
export function sumBreakdowns(batches: { breakdown: StatusBreakdown }[]): StatusBreakdown {
  const sum = emptyBreakdown();
  for (const { breakdown } of batches) {
    for (const status of TARGET_STATUSES) sum[status] += breakdown[status];
  }
  return sum;
}
