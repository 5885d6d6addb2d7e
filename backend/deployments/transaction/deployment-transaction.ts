import type { NewEvent } from '../../audit/event.ports.ts';
import type { TargetStatus } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import {
  NO_DEVICES,
  type ChangedDevices,
  type DeploymentChanged,
} from '../model/change-feed.ports.ts';
import type { Deployment } from '../model/deployment.types.ts';

/** A job to enqueue; see `RolloutJobs`. */
export type RolloutJob =
  | { kind: 'release-batch'; deploymentId: string; batch: number }
  | { kind: 'skip-pending' | 'retry-failed'; deploymentId: string }
  | { kind: 'start'; deploymentId: string; at: Date };

/** What happens besides the writes, as data. `DeploymentTransactions` applies it. */
export interface Effects {
  events: NewEvent[];
  changes: DeploymentChanged[];
  jobs: RolloutJob[];
  /** Deployments that completed, failed, or were paused by the failure threshold. */
  settled: Deployment[];
  finishedTargets: TargetStatus[];
  /** Sizes of released batches. */
  releasedBatches: number[];
}

/**
 * A transaction on deployments and targets. Rows are written through `tx`; timeline entries, live updates, jobs and
 * metrics are collected as data. Timeline entries are written before the commit, everything else happens after it. If
 * the transaction fails, nothing happens.
 */
export class DeploymentTransaction {
  readonly tx: Transaction;
  readonly #effects: Omit<Effects, 'changes'> = {
    events: [],
    jobs: [],
    settled: [],
    finishedTargets: [],
    releasedBatches: [],
  };
  readonly #changes = new Map<string, DeploymentChanged>();

  constructor(tx: Transaction) {
    this.tx = tx;
  }

  /** Adds entries to the timeline. */
  record(...events: NewEvent[]): void {
    this.#effects.events.push(...events);
  }

  /** Publishes a change of the deployment. `devices`: those whose targets changed. */
  changed(
    { id, organizationId }: Pick<Deployment, 'id' | 'organizationId'>,
    devices: ChangedDevices = NO_DEVICES,
  ): void {
    const before = this.#changes.get(id)?.devices ?? NO_DEVICES;
    this.#changes.set(id, {
      deploymentId: id,
      organizationId,
      devices: {
        named: [...before.named, ...devices.named],
        others: before.others || devices.others,
      },
    });
  }

  /** Enqueues a job after the commit. */
  enqueue(job: RolloutJob): void {
    this.#effects.jobs.push(job);
  }

  /** Notifies the host that the deployment completed, failed, or was paused by the failure threshold. */
  settled(deployment: Deployment): void {
    this.#effects.settled.push({ ...deployment });
  }

  /** Counts finished targets in the metrics. */
  targetsFinished(statuses: TargetStatus[]): void {
    this.#effects.finishedTargets.push(...statuses);
  }

  /** Counts a released batch of `size` targets in the metrics. */
  batchReleased(size: number): void {
    this.#effects.releasedBatches.push(size);
  }

  effects(): Effects {
    return { ...this.#effects, changes: [...this.#changes.values()] };
  }
}
