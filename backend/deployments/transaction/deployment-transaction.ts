import type { NewEvent } from '../../audit/event.ports.ts';
import type { TargetStatus } from '../../contract/states.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import {
  NO_DEVICES,
  type ChangedDevices,
  type DeploymentChanged,
} from '../model/change-feed.ports.ts';
import type { Deployment } from '../model/deployment.types.ts';

/** What the queue is asked to look at; `RolloutJobs` says what each is for. */
export type RolloutJob =
  | { kind: 'release-batch'; deploymentId: string; batch: number }
  | { kind: 'skip-pending' | 'retry-failed'; deploymentId: string }
  | { kind: 'start'; deploymentId: string; at: Date };

/** What follows a commit, as data: `DeploymentTransactions` carries it out. */
export interface Effects {
  events: NewEvent[];
  changes: DeploymentChanged[];
  jobs: RolloutJob[];
  /** As they were when they completed, failed or paused without anybody's doing. */
  settled: Deployment[];
  finishedTargets: TargetStatus[];
  /** Sizes of released batches. */
  releasedBatches: number[];
}

/**
 * One write to deployments and targets: rows through `tx`, and beside them what is to be told of it, collected as
 * data. Events are written before the commit, everything else happens after it; nothing does when it fails.
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

  /** An entry of the timeline. */
  record(...events: NewEvent[]): void {
    this.#effects.events.push(...events);
  }

  /** Whoever shows the deployment looks again; `devices`: those whose targets changed. */
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

  enqueue(job: RolloutJob): void {
    this.#effects.jobs.push(job);
  }

  /** The deployment completed, failed or paused without anybody's doing: the rest of Ops-Center is notified. */
  settled(deployment: Deployment): void {
    this.#effects.settled.push({ ...deployment });
  }

  targetsFinished(statuses: TargetStatus[]): void {
    this.#effects.finishedTargets.push(...statuses);
  }

  batchReleased(size: number): void {
    this.#effects.releasedBatches.push(size);
  }

  effects(): Effects {
    return { ...this.#effects, changes: [...this.#changes.values()] };
  }
}
