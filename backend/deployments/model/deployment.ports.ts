import type { BatchPlanEntry, CreatedDeployment } from '../../contract/admin-api.ts';
import type { DeploymentStatus, PausedReason, TargetStatus } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type { Batch, Deployment, DeploymentDraft, DeploymentState } from './deployment.types.ts';
import { token } from '../../kernel/token.ts';

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
  /**
   * Dates the deployment after every other of its organization, in the order of their commits: what is newer
   * decides what a device may still get. To be called last: others of the organization wait for the commit.
   */
  stampCreated(tx: Transaction, id: string): Promise<void>;
  insertPlan(tx: Transaction, id: string, total: number, plan: BatchPlanEntry[]): Promise<void>;
  find(organizationId: string, id: string): Promise<Deployment | null>;
  /** As `tx` sees it, where it is given. */
  findState(organizationId: string, id: string, tx?: Transaction): Promise<DeploymentState | null>;
  /** Whatever its organization. */
  findStateUnscoped(id: string): Promise<DeploymentState | null>;
  list(organizationId: string, query: DeploymentListQuery): Promise<DeploymentListPage>;
  /** Locks in order of ids; unknown ids are left out. */
  lock(tx: Transaction, ids: string[]): Promise<Deployment[]>;
  /**
   * Locks a deployment and all newer ones of its organization, in the order of {@link lock}: no device
   * completes one of them until the commit. `organizationId` null: the system itself asks.
   */
  lockWithNewer(tx: Transaction, id: string, organizationId: string | null): Promise<void>;
  update(tx: Transaction, id: string, change: DeploymentChange): Promise<void>;
  /** Of a deployment that the transaction has locked. */
  batchesOf(tx: Transaction, id: string): Promise<Batch[]>;
  /** Remembers that a batch is due; the release itself is a job's work. */
  requestRelease(tx: Transaction, id: string, batch: number, at: Date): Promise<void>;
  /** Marks a batch released and moves the deployment's released range over it. */
  release(tx: Transaction, id: string, batch: Batch): Promise<void>;
  /** Cuts a batch after `size` targets; the rest becomes the batch after it. */
  splitBatch(tx: Transaction, id: string, batch: Batch, size: number): Promise<void>;
  /** Moves counters of the batches that hold the given positions, and what is counted over time. */
  moveCounters(tx: Transaction, moves: CounterMove[]): Promise<void>;
  /** Deployments that may need a step: reconciling starts here. */
  findUnsettled(): Promise<UnsettledDeployment[]>;
}
export const DeploymentRepository = token<DeploymentRepository>('DeploymentRepository');

export interface DeploymentListQuery {
  status?: DeploymentStatus | undefined;
  search?: string | undefined;
  page: number;
  pageSize: number;
}

export interface DeploymentListPage {
  deployments: DeploymentState[];
  totalCount: number;
}

export interface DeploymentChange {
  status?: DeploymentStatus;
  pausedReason?: PausedReason | null;
  acceptedFailures?: number;
  startedAt?: Date | null;
  resumedAt?: Date | null;
  retryFailedBefore?: Date | null;
  completedAt?: Date | null;
}

export interface CounterMove {
  deploymentId: string;
  position: number;
  from: TargetStatus;
  to: TargetStatus;
  /** Change of the number of targets rolled back because an admin asked: −1, 0 or 1. */
  onRequest: -1 | 0 | 1;
  /** When it had ended before, and when it has ended now; `null`: it had not, or has not. */
  finishedBefore: Date | null;
  finishedAt: Date | null;
  /** How long the update took that this completes; `null`: it completes none. */
  seconds: number | null;
}

export interface UnsettledDeployment {
  id: string;
  status: DeploymentStatus;
  /** A retry of its failed targets has not come to its end. */
  isRetrying: boolean;
}

/** A request that may be sent again, and must then be carried out once. */
export interface IdempotentRequest {
  key: string;
  /** Of what it asks for. */
  hash: string;
}

export interface StoredResponse {
  hash: string;
  response: CreatedDeployment;
}

/** Keys of an organization are its own, and are remembered for 24 hours. */
export interface IdempotencyKeys {
  /** `null`: the key is ours from now on; else what was answered to whoever came before. */
  claim(
    tx: Transaction,
    organizationId: string,
    request: IdempotentRequest,
  ): Promise<StoredResponse | null>;
  store(
    tx: Transaction,
    organizationId: string,
    key: string,
    answer: CreatedDeployment,
  ): Promise<void>;
  /** Up to `limit` of those that are over. Answers how many. */
  deleteExpired(tx: Transaction, limit: number): Promise<number>;
}
export const IdempotencyKeys = token<IdempotencyKeys>('IdempotencyKeys');
