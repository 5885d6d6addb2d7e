import type { BatchPlanEntry, DeviceFilters, TargetView } from '../contract/admin-api.ts';
import type { DeploymentStatus, PausedReason, TargetStatus } from '../contract/states.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type { Batch, Deployment, DeploymentDraft, Target, TargetKey } from './deployment.types.ts';
import type { SkipReason } from './target.states.ts';

/**
 * Lock order, everywhere: deployments by id, then targets by (deployment, device), then batches.
 * Whoever changes a target holds its deployment's row, so counters and states agree at any commit.
 */
export interface DeploymentRepository {
  insert(
    tx: Transaction,
    id: string,
    organizationId: string,
    draft: DeploymentDraft,
    createdBy: string,
  ): Promise<void>;
  insertPlan(tx: Transaction, id: string, total: number, plan: BatchPlanEntry[]): Promise<void>;
  find(organizationId: string, id: string): Promise<Deployment | null>;
  findMany(ids: string[]): Promise<Deployment[]>;
  list(organizationId: string, query: DeploymentListQuery): Promise<DeploymentListPage>;
  /** Locks in order of ids; unknown ids are left out. */
  lock(tx: Transaction, ids: string[]): Promise<Deployment[]>;
  update(tx: Transaction, id: string, change: DeploymentChange): Promise<void>;
  batchesOf(ids: string[], tx?: Transaction): Promise<Map<string, Batch[]>>;
  /** Remembers that a batch is due; the release itself is a job's work. */
  requestRelease(tx: Transaction, id: string, batch: number, at: Date): Promise<void>;
  /** Marks a batch released and moves the deployment's released range over it. */
  release(tx: Transaction, id: string, batch: Batch, at: Date): Promise<void>;
  /** Cuts a batch after `size` targets; the rest becomes the batch after it. */
  splitBatch(tx: Transaction, id: string, batch: Batch, size: number): Promise<void>;
  /** Moves counters of the batches that hold the given positions. */
  moveCounters(tx: Transaction, moves: CounterMove[]): Promise<void>;
  /** Deployments that may need a step: reconciling starts here. */
  findUnsettled(now: Date): Promise<UnsettledDeployment[]>;
}

export interface DeploymentListQuery {
  status?: DeploymentStatus | undefined;
  search?: string | undefined;
  page: number;
  pageSize: number;
}

export interface DeploymentListPage {
  deployments: Deployment[];
  totalCount: number;
}

export interface DeploymentChange {
  status?: DeploymentStatus;
  pausedReason?: PausedReason | null;
  acceptedFailures?: number;
  startedAt?: Date | null;
  resumedAt?: Date | null;
  completedAt?: Date | null;
}

export interface CounterMove {
  deploymentId: string;
  position: number;
  from: TargetStatus;
  to: TargetStatus;
  /** Change of the number of targets rolled back because an admin asked: −1, 0 or 1. */
  onRequest: -1 | 0 | 1;
}

export interface UnsettledDeployment {
  id: string;
  status: DeploymentStatus;
  scheduledAt: Date | null;
}

export interface TargetRepository {
  /** One statement: every matching device becomes a target. Answers how many. */
  insertMatching(
    tx: Transaction,
    deploymentId: string,
    organizationId: string,
    filters: DeviceFilters,
    onlineFirst: boolean,
  ): Promise<number>;
  /** Lets the planner know of a table that has just grown; it would find out only minutes later. */
  refreshStatistics(): Promise<void>;
  countMatching(organizationId: string, filters: DeviceFilters): Promise<MatchingGroup[]>;
  countIncomparable(organizationId: string, filters: DeviceFilters): Promise<VersionGroup[]>;
  page(deployment: Deployment, query: TargetQuery): Promise<TargetPosition[]>;
  views(deployment: Deployment, deviceIds: string[]): Promise<TargetView[]>;
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
  /** Writes the version a device runs now into the host's device table. */
  recordVersions(tx: Transaction, versions: InstalledVersion[]): Promise<void>;
  currentVersions(tx: Transaction, deviceIds: string[]): Promise<Map<string, string | null>>;
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
