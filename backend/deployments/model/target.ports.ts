import type { DeviceTarget, OverlappingDeployment, TargetView } from '../../contract/admin-api.ts';
import type { SkipReason, TargetStatus, WaitingReason } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type {
  CanaryKinds,
  Deployment,
  DeviceGroup,
  ProtectedGroup,
  Target,
  TargetKey,
  GoneReason,
} from './deployment.types.ts';
import type { DeviceSelection } from '../../targeting/matching-devices.sql.ts';
import { token } from '../../kernel/token.ts';

/** The filters of a deployment, and its product. */
export type ProductFilter = Pick<DeviceSelection, 'filters' | 'packageName'>;

/** Selects the devices that become targets of a deployment. */
export interface TargetSelection {
  /**
   * Inserts a target for every matching device, in one statement. Resolves to their number.
   *
   * @param stratifyBy the attributes of a canary, whose order represents the kinds of devices; `null`: another strategy
   */
  insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    selection: DeviceSelection,
    stratifyBy: string[] | null,
  ): Promise<number>;
  /** Refreshes the planner's statistics of the target table; autovacuum would do so only minutes later. */
  refreshStatistics(): Promise<void>;
  /** Counts the devices that match all filters except the version filter, by type and versions. */
  countDeviceGroups(organizationId: string, selection: ProductFilter): Promise<DeviceGroup[]>;
  /** Counts the kinds of the devices that a canary selects. */
  countCanaryKinds(
    organizationId: string,
    selection: DeviceSelection,
    stratifyBy: string[],
  ): Promise<CanaryKinds>;
  /** Whether the host's table of devices has attributes. */
  hasAttributes(): Promise<boolean>;
}
export const TargetSelection = token<TargetSelection>('TargetSelection');

/** Reads what a rollout would affect in the current fleet. */
export interface FleetImpact {
  /** The number of registered devices of the organization. */
  fleetSize(organizationId: string): Promise<number>;
  /** Devices that match all filters except the version filter. */
  matchingDevices(organizationId: string, selection: ProductFilter): Promise<ProtectedGroup[]>;
  /** Devices of the deployment that have not finished. */
  unfinishedDevices(deployment: Deployment): Promise<ProtectedGroup[]>;
  /** Deployments in progress or paused with unfinished targets among the matching devices. */
  overlappingWithSelection(
    organizationId: string,
    selection: DeviceSelection,
  ): Promise<OverlappingDeployment[]>;
  /** Other deployments in progress or paused with unfinished targets among the unfinished devices of this one. */
  overlappingWith(deployment: Deployment): Promise<OverlappingDeployment[]>;
}
export const FleetImpact = token<FleetImpact>('FleetImpact');

/** Reads targets for the admin API. */
export interface TargetViews {
  page(deployment: Deployment, query: TargetQuery): Promise<TargetViewPage>;
  ofDevices(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]>;
  /** The targets of a device in deployments of one organization, in the order of the deployments. */
  ofDevice(deviceId: string, deployments: readonly Deployment[]): Promise<DeviceTarget[]>;
}
export const TargetViews = token<TargetViews>('TargetViews');

/** Reads, locks and writes targets. `DeploymentRepository` documents the lock order. */
export interface TargetRepository {
  find(deploymentId: string, deviceId: string): Promise<Target | null>;
  lock(tx: Transaction, keys: TargetKey[]): Promise<Target[]>;
  save(tx: Transaction, targets: Target[]): Promise<void>;
  /** Unfinished targets of these devices in deployments of the same product created before the given ones. */
  findSuperseded(tx: Transaction, completed: TargetKey[]): Promise<TargetKey[]>;
  /** Skips up to `limit` pending targets and updates the counters. Resolves to their number. */
  skipPending(
    tx: Transaction,
    deploymentId: string,
    reason: SkipReason,
    at: Date,
    limit: number,
  ): Promise<number>;
  /**
   * Makes failed targets, and targets that rolled back without a request, pending again: up to `limit` of those that had
   * finished by `before`, starting at `from`. Leaves out devices that completed a newer deployment of the same product, have a requested
   * rollback, or are gone. `next`: where to continue; `null`: all are done.
   */
  retryFailed(
    tx: Transaction,
    deploymentId: string,
    before: Date,
    from: RetryCursor,
    limit: number,
  ): Promise<{ retried: number; next: RetryCursor | null }>;
  /** Adds the current attempt of each target to its earlier attempts. Call it before a retry clears the attempt. */
  archiveAttempts(tx: Transaction, targets: TargetKey[]): Promise<void>;
  /** Those of the devices whose targets can be retried by id. */
  findRetryable(tx: Transaction, deploymentId: string, deviceIds: string[]): Promise<string[]>;
  /** The newest deployment of the same product after this one that the device completed. */
  findNewer(tx: Transaction, key: TargetKey): Promise<NewerDeployment | null>;
  /** Why the device is gone; `null`: it exists in the deployment's organization. */
  findGoneReason(tx: Transaction, key: TargetKey): Promise<GoneReason | null>;
}
export const TargetRepository = token<TargetRepository>('TargetRepository');

/** Where a retry continues: it covers failed targets, then rolled back ones, each in the order of positions. */
export interface RetryCursor {
  status: 'failed' | 'rolled_back';
  /** Continue with the targets after this position. */
  after: number;
}

export const RETRY_START: RetryCursor = { status: 'failed', after: -1 };

/** A newer deployment that a device completed. */
export interface NewerDeployment {
  id: string;
  name: string;
  targetVersion: string;
}

/** Finds targets that the timeout sweep has to finish. */
export interface SweepTargets {
  /**
   * Updating targets without a report within the device timeout of their deployment; `goneReason` if the device is
   * gone.
   */
  findOverdue(limit: number): Promise<SweepTarget[]>;
  /** Released targets whose device did not poll within the pickup timeout of the deployment. */
  findNotPickedUp(limit: number): Promise<SweepTarget[]>;
  /** Scans the next `limit` open targets after `from`, and finds those whose device is gone. */
  findGone(from: TargetKey | null, limit: number): Promise<GoneTargetPage>;
  /**
   * Scans the next `limit` devices in the table after the device `from`, and deletes the rows of removed ones. Resolves
   * to where the next scan continues; `null`: at the beginning.
   */
  deleteRowsOfRemoved(
    tx: Transaction,
    table: DeviceTable,
    from: string | null,
    limit: number,
  ): Promise<string | null>;
}
export const SweepTargets = token<SweepTargets>('SweepTargets');

/** The tables with a row per device: what devices report about themselves, and when they last polled. */
export const DEVICE_TABLES = ['ota_devices', 'ota_device_polls'] as const;
export type DeviceTable = (typeof DEVICE_TABLES)[number];

/** A target that the timeout sweep has found. */
export interface SweepTarget {
  key: TargetKey;
  goneReason: GoneReason | null;
}

export interface GoneTargetPage {
  targets: (SweepTarget & { goneReason: GoneReason })[];
  /** Where the next scan continues; `null`: at the beginning. */
  next: TargetKey | null;
}

/**
 * The versions that devices run: that of the main product in the host's device table, and those that the device has
 * reported by package name.
 */
export interface DeviceVersions {
  /** Records the versions that devices run now. */
  record(tx: Transaction, versions: InstalledVersion[]): Promise<void>;
  /** The recorded versions of the products that these targets install; `null`: unknown. */
  current(
    tx: Transaction,
    targets: TargetKey[],
  ): Promise<(TargetKey & { version: string | null })[]>;
}
export const DeviceVersions = token<DeviceVersions>('DeviceVersions');

export interface TargetQuery {
  status?: TargetStatus | undefined;
  batch?: number | undefined;
  search?: string | undefined;
  waitingFor?: WaitingReason | undefined;
  afterPosition?: number | undefined;
  limit: number;
}

export interface TargetViewPage {
  targets: TargetView[];
  /** The position after which the next page continues; `null`: there is none. */
  next: number | null;
}

export interface InstalledVersion {
  deploymentId: string;
  deviceId: string;
  version: string;
  /** The package's name as reported, if it is not the device's main product; else `null`. */
  component: string | null;
  /** The device rolled back on request. Otherwise the version of a newer deployment is not overwritten. */
  onRequest: boolean;
}
