import type { BatchPlanEntry, CreatedDeployment } from '../../contract/admin-api.ts';
import type { DeploymentStatus, PausedReason, TargetStatus } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type {
  Batch,
  Deployment,
  DeploymentDraft,
  DeploymentState,
  UpdateDurations,
} from './deployment.types.ts';
import { token } from '../../kernel/token.ts';

/**
 * Reads and writes deployments. Every transaction locks in the same order: deployments by id, then
 * targets by (deployment, device), then batches. A transaction that changes a target holds the lock of its deployment,
 * so that counters and states agree after every commit.
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
   * Sets `created_at` later than that of every other deployment of the organization, in the order of their commits. The
   * order decides which update a device gets. Call it last in the transaction: other creations in the organization
   * wait for the commit.
   */
  stampCreated(tx: Transaction, id: string): Promise<void>;
  find(organizationId: string, id: string): Promise<Deployment | null>;
  /** Reads within `tx`, if given. */
  findState(organizationId: string, id: string, tx?: Transaction): Promise<DeploymentState | null>;
  /** Reads a deployment of any organization. */
  findStateUnscoped(id: string): Promise<DeploymentState | null>;
  list(organizationId: string, query: DeploymentListQuery): Promise<DeploymentListPage>;
  /** The durations of updates in the organization's latest deployments, and the current time of the database. */
  recentDurations(
    organizationId: string,
  ): Promise<{ durations: UpdateDurations | null; now: Date }>;
  /** Locks deployments in the order of their ids; unknown ids are left out. */
  lock(tx: Transaction, ids: string[]): Promise<Deployment[]>;
  /**
   * Locks a deployment and all newer ones of its organization, in the order of {@link lock}, so that no device completes
   * one of them until the commit. `organizationId`: the caller's; `null`: any.
   */
  lockWithNewer(tx: Transaction, id: string, organizationId: string | null): Promise<void>;
  update(tx: Transaction, id: string, change: DeploymentChange): Promise<void>;
  /** Deployments that the reconciler has to check, because work may be due. */
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

/** Reads and writes the batches of deployments, with their counters. */
export interface BatchRepository {
  /** Inserts the batches and sets the total number of targets. */
  insertPlan(tx: Transaction, id: string, total: number, plan: BatchPlanEntry[]): Promise<void>;
  /** The batches of a locked deployment, in order. */
  list(tx: Transaction, id: string): Promise<Batch[]>;
  /** Records that a batch is due. A job releases it. */
  requestRelease(tx: Transaction, id: string, batch: number, at: Date): Promise<void>;
  /** Marks a batch as released and extends the deployment's released range to its end. */
  release(tx: Transaction, id: string, batch: Batch): Promise<void>;
  /** Splits a batch after `size` targets; the rest becomes the next batch. */
  split(tx: Transaction, id: string, batch: Batch, size: number): Promise<void>;
  /** Updates the counters of batches, and of targets finished over time. */
  moveCounters(tx: Transaction, moves: CounterMove[]): Promise<void>;
}
export const BatchRepository = token<BatchRepository>('BatchRepository');

/** A status change of one target, for the counters. */
export interface CounterMove {
  deploymentId: string;
  position: number;
  from: TargetStatus;
  to: TargetStatus;
  /** The change in the number of rollbacks that an admin requested: −1, 0 or 1. */
  onRequest: -1 | 0 | 1;
  /** When the target had finished before and after the change; `null`: it had not. */
  finishedBefore: Date | null;
  finishedAt: Date | null;
  /** The duration of the update that this change completes; `null`: it completes none. */
  seconds: number | null;
}

export interface UnsettledDeployment {
  id: string;
  status: DeploymentStatus;
  /** Whether a retry of its failed targets is in progress. */
  isRetrying: boolean;
}

/** A request with an `Idempotency-Key`: it may be sent again, but is carried out once. */
export interface IdempotentRequest {
  key: string;
  /** A hash of the body. */
  hash: string;
}

/** The response to an earlier request with the same key, and the hash of that request. */
export interface StoredResponse {
  hash: string;
  response: CreatedDeployment;
}

/** Idempotency keys of organizations. They are stored for 24 hours. */
export interface IdempotencyKeys {
  /** Claims a key for this request. Resolves to `null`, or to the stored response if the key was used before. */
  claim(
    tx: Transaction,
    organizationId: string,
    request: IdempotentRequest,
  ): Promise<StoredResponse | null>;
  store(
    tx: Transaction,
    organizationId: string,
    key: string,
    response: CreatedDeployment,
  ): Promise<void>;
  /** Deletes up to `limit` expired keys. Resolves to their number. */
  deleteExpired(tx: Transaction, limit: number): Promise<number>;
}
export const IdempotencyKeys = token<IdempotencyKeys>('IdempotencyKeys');
