import type { DeviceFilters, TargetView } from '../contract/admin-api.ts';
import type { TargetStatus } from '../contract/states.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type { Deployment, Target, TargetKey } from './deployment.types.ts';
import type { DeviceChoice } from './matching-devices.sql.ts';
import type { SkipReason } from './target.states.ts';

/** Which devices become targets of a deployment. */
export interface TargetSelection {
  /** One statement: every matching device becomes a target. Answers how many. */
  insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    choice: DeviceChoice,
    onlineFirst: boolean,
  ): Promise<number>;
  /** Lets the planner know of a table that has just grown; it would find out only minutes later. */
  refreshStatistics(): Promise<void>;
  /** By type and version; nobody is left out. */
  countMatching(organizationId: string, filters: DeviceFilters): Promise<MatchingGroup[]>;
  countIncomparable(organizationId: string, filters: DeviceFilters): Promise<VersionGroup[]>;
}

/** Targets as admins see them. */
export interface TargetViews {
  page(deployment: Deployment, query: TargetQuery): Promise<TargetPosition[]>;
  ofDevices(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]>;
}

/** Targets as transitions read and write them; the lock order stands at `DeploymentRepository`. */
export interface TargetRepository {
  find(deploymentId: string, deviceId: string): Promise<Target | null>;
  lock(tx: Transaction, keys: TargetKey[]): Promise<Target[]>;
  save(tx: Transaction, targets: Target[]): Promise<void>;
  /** Pending targets of these devices in deployments created before the given ones. */
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
   * completed a newer deployment.
   */
  retryFailed(tx: Transaction, deploymentId: string): Promise<number>;
  /** Those of the devices that have completed a deployment created after this one. */
  findOvertaken(tx: Transaction, deploymentId: string, deviceIds: string[]): Promise<string[]>;
  /** Working targets without a report since their deployment's time limit. */
  findOverdue(now: Date, limit: number): Promise<TargetKey[]>;
  /** Released targets whose device never came within the deployment's limit. */
  findNotPickedUp(now: Date, limit: number): Promise<TargetKey[]>;
  /** Released targets that wait for a device the host no longer has, where few are waited for. */
  findRemoved(limit: number): Promise<TargetKey[]>;
}

/** The version each device runs, in the host's device table. */
export interface DeviceVersions {
  /** Writes what devices run now. */
  record(tx: Transaction, versions: InstalledVersion[]): Promise<void>;
  current(tx: Transaction, deviceIds: string[]): Promise<Map<string, string | null>>;
}

export interface MatchingGroup {
  deviceType: string | null;
  version: string | null;
  count: number;
}

export interface VersionGroup {
  version: string | null;
  count: number;
}

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
