import type { DeviceFilters, OverlappingDeployment, TargetView } from '../../contract/admin-api.ts';
import type { TargetStatus } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type {
  Deployment,
  DeviceGroup,
  Target,
  TargetKey,
  GoneReason,
  SkipReason,
} from './deployment.types.ts';
import type { DeviceSelection } from '../../targeting/matching-devices.sql.ts';
import { token } from '../../kernel/token.ts';

/** Which devices become targets of a deployment. */
export interface TargetSelection {
  /** One statement: every matching device becomes a target. Answers how many. */
  insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    choice: DeviceSelection,
    onlineFirst: boolean,
  ): Promise<number>;
  /** Lets the planner know of a table that has just grown; it would find out only minutes later. */
  refreshStatistics(): Promise<void>;
  /** Devices that pass every filter but that of the version, by type and version. */
  countDeviceGroups(organizationId: string, filters: DeviceFilters): Promise<DeviceGroup[]>;
}
export const TargetSelection = token<TargetSelection>('TargetSelection');

/** What a rollout would meet in the fleet as it is now. */
export interface FleetImpact {
  /** Registered devices of the organization. */
  fleetSize(organizationId: string): Promise<number>;
  /** Devices of the deployment that have not finished, by type and by the version they run now. */
  unfinishedDevices(deployment: Deployment): Promise<DeviceGroup[]>;
  /** Deployments in progress that still hold devices which match. */
  overlappingWithSelection(
    organizationId: string,
    choice: DeviceSelection,
  ): Promise<OverlappingDeployment[]>;
  /** Other deployments in progress that still hold devices which this one has not finished. */
  overlappingWith(deployment: Deployment): Promise<OverlappingDeployment[]>;
}
export const FleetImpact = token<FleetImpact>('FleetImpact');

/** Targets as admins see them. */
export interface TargetViews {
  page(deployment: Deployment, query: TargetQuery): Promise<TargetPosition[]>;
  ofDevices(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]>;
}
export const TargetViews = token<TargetViews>('TargetViews');

/** Targets as transitions read and write them; the lock order stands at `DeploymentRepository`. */
export interface TargetRepository {
  find(deploymentId: string, deviceId: string): Promise<Target | null>;
  lock(tx: Transaction, keys: TargetKey[]): Promise<Target[]>;
  save(tx: Transaction, targets: Target[]): Promise<void>;
  /** Unfinished targets of these devices in deployments created before the given ones. */
  findSuperseded(tx: Transaction, completed: TargetKey[]): Promise<TargetKey[]>;
  /** Up to `limit` targets go from one status to another, counters included. Answers how many. */
  skipPending(
    tx: Transaction,
    deploymentId: string,
    reason: SkipReason,
    at: Date,
    limit: number,
  ): Promise<number>;
  /**
   * Failed targets and those that went back by themselves become pending again, but for devices that
   * completed a newer deployment, are asked to go back, or are none any more: up to `limit` of those that
   * had ended by `before`, from `from` on.
   */
  retryFailed(
    tx: Transaction,
    deploymentId: string,
    before: Date,
    from: RetryCursor,
    limit: number,
  ): Promise<{ retried: number; next: RetryCursor | null }>;
  /** Adds the attempt that each of the targets is at to its earlier ones, before a retry clears its facts. */
  archiveAttempts(tx: Transaction, targets: TargetKey[]): Promise<void>;
  /** Those of the devices that a retry by name takes up again. */
  findRetryable(tx: Transaction, deploymentId: string, deviceIds: string[]): Promise<string[]>;
  /** The newest deployment that the device completed after this one. */
  findNewer(tx: Transaction, key: TargetKey): Promise<NewerDeployment | null>;
  /**
   * Working targets without a report since their deployment's time limit, with what became of the device
   * where it is none any more.
   */
  findOverdue(limit: number): Promise<SweepTarget[]>;
  /** Released targets whose device never came within the deployment's limit. */
  findNotPickedUp(limit: number): Promise<SweepTarget[]>;
  /** Of the next `limit` open targets after `from`, in their order, those whose device is none any more. */
  findGone(from: TargetKey | null, limit: number): Promise<GoneTargetPage>;
  /** `null`: the device is there, and of the deployment's organization. */
  findGoneReason(tx: Transaction, key: TargetKey): Promise<GoneReason | null>;
}
export const TargetRepository = token<TargetRepository>('TargetRepository');

/** A retry covers targets of one status after the other, each in the order of their positions. */
export interface RetryCursor {
  status: 'failed' | 'rolled_back';
  /** Targets behind this position are still to be looked at. */
  after: number;
}

export const RETRY_START: RetryCursor = { status: 'failed', after: -1 };

export interface SweepTarget {
  key: TargetKey;
  goneReason: GoneReason | null;
}

export interface GoneTargetPage {
  targets: (SweepTarget & { goneReason: GoneReason })[];
  /** Where the next walk goes on; `null`: from the beginning. */
  next: TargetKey | null;
}

/** A deployment that a device completed since. */
export interface NewerDeployment {
  id: string;
  name: string;
  targetVersion: string;
}

/** The version each device runs, in the host's device table. */
export interface DeviceVersions {
  /** Writes what devices run now. */
  record(tx: Transaction, versions: InstalledVersion[]): Promise<void>;
  current(tx: Transaction, deviceIds: string[]): Promise<Map<string, string | null>>;
}
export const DeviceVersions = token<DeviceVersions>('DeviceVersions');

export interface TargetQuery {
  status?: TargetStatus | undefined;
  batch?: number | undefined;
  search?: string | undefined;
  afterPosition?: number | undefined;
  limit: number;
}

export interface TargetPosition {
  position: number;
  view: TargetView;
}

export interface InstalledVersion {
  deploymentId: string;
  deviceId: string;
  version: string;
  /** Gone back to because an admin asked; else a newer deployment's version is not overwritten. */
  onRequest: boolean;
}
