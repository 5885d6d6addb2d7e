import { inject, injectable } from 'inversify';
import { Logger } from '../../kernel/logger.ts';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { EventRepository } from '../../audit/event.ports.ts';
import type { DeploymentAction } from '../../contract/states.ts';
import type { HostContext } from '../../host-contract.ts';
import { notFound } from '../../kernel/errors.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import { type Transaction, type TransactionLimits, UnitOfWork } from '../../kernel/unit-of-work.ts';
import { Telemetry } from '../../observability/telemetry.ports.ts';
import { ChangeFeed } from '../model/change-feed.ports.ts';
import { DeploymentTransaction, type Effects, type RolloutJob } from './deployment-transaction.ts';
import { DeploymentRepository } from '../model/deployment.ports.ts';
import type { Batch, Deployment } from '../model/deployment.types.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { isAllowed } from '../rules/deployment-states.ts';
import { actionContextOf } from '../rules/figures.ts';
import { actionNotPossible } from '../rules/action-not-possible.ts';
import { HostEvents } from '../../kernel/host-events.ts';

/** A deployment that the transaction has locked, and what an action needs to know of it. */
export interface LockedDeployment {
  tx: Transaction;
  transaction: DeploymentTransaction;
  deployment: Deployment;
  batches: Batch[];
}

interface LockOptions {
  /** Newer deployments of the organization are locked, too. */
  withNewer?: boolean;
  limits?: TransactionLimits;
}

/**
 * The one frame of every write to deployments and targets. It locks, lets the work write its rows and say what follows,
 * commits, and carries that out: who watches is told, jobs are enqueued, the host is notified. Of two racing
 * requests the second finds the new state.
 */
@injectable()
export class DeploymentTransactions {
  constructor(
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(EventRepository) private readonly events: EventRepository,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(ChangeFeed) private readonly feed: ChangeFeed,
    @inject(HostEvents) private readonly hostEvents: HostContext['events'],
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /**
   * Runs `work`, which locks what it needs: deployments before targets, each in the order of their ids.
   *
   * @param trace what log lines about the effects name besides: the request they come from
   */
  async run<T>(
    work: (transaction: DeploymentTransaction) => Promise<T>,
    limits?: TransactionLimits,
    trace: object = {},
  ): Promise<T> {
    const { result, effects } = await this.work.run(async (tx) => {
      const transaction = new DeploymentTransaction(tx);
      const done = await work(transaction);
      const collected = transaction.effects();
      if (collected.events.length > 0) await this.events.append(tx, collected.events);
      return { result: done, effects: collected };
    }, limits);
    await this.#applyEffects(effects, trace);
    return result;
  }

  /** An action of an admin. Throws `not_found`, and `invalid_state` when the state does not allow it. */
  runAction(
    action: DeploymentAction,
    admin: AdminCaller,
    id: string,
    change: (locked: LockedDeployment) => Promise<void>,
  ): Promise<void> {
    return this.withLocked(id, admin, async (locked) => {
      const { deployment, batches } = locked;
      if (!isAllowed(action, actionContextOf(deployment, batches))) {
        throw actionNotPossible(action, deployment, batches);
      }
      await change(locked);
    });
  }

  /**
   * Runs `change` on the locked deployment, whatever its state; it counts as changed. `caller` null: the system
   * itself. Throws `not_found`.
   */
  withLocked<T>(
    id: string,
    caller: AdminCaller | null,
    change: (locked: LockedDeployment) => Promise<T>,
    { withNewer = false, limits }: LockOptions = {},
  ): Promise<T> {
    return this.run(
      async (transaction) => {
        const { tx } = transaction;
        if (withNewer) {
          await this.deployments.lockWithNewer(tx, id, caller?.organizationId ?? null);
        }
        const [deployment] = await this.deployments.lock(tx, [id]);
        const isForeign = caller !== null && deployment?.organizationId !== caller.organizationId;
        if (!deployment || isForeign) throw notFound('This deployment');
        const batches = await this.deployments.batchesOf(tx, id);
        const result = await change({ tx, transaction, deployment, batches });
        transaction.changed(deployment);
        return result;
      },
      limits,
      caller ? { request_id: caller.requestId } : {},
    );
  }

  /** A job's look at a deployment, which may be gone; it counts as changed only when `change` says so. */
  withLockedIfExists(
    id: string,
    change: (locked: Omit<LockedDeployment, 'batches'>) => Promise<void>,
  ): Promise<void> {
    return this.run(async (transaction) => {
      const { tx } = transaction;
      const [deployment] = await this.deployments.lock(tx, [id]);
      if (deployment) await change({ tx, transaction, deployment });
    }, LIMITS.jobs);
  }

  async #applyEffects(effects: Effects, trace: object): Promise<void> {
    const { changes, jobs, settled, finishedTargets, releasedBatches } = effects;
    if (finishedTargets.length > 0) this.telemetry.targetsFinished(finishedTargets);
    for (const size of releasedBatches) this.telemetry.batchReleased(size);
    if (changes.length > 0) this.feed.publish(changes);
    for (const deployment of settled) this.#notify(deployment);
    await Promise.all(jobs.map((job) => this.#enqueue(job, trace)));
  }

  /** A job that is lost is enqueued again by the reconciler, so its loss is no error of the request. */
  async #enqueue(job: RolloutJob, trace: object): Promise<void> {
    const { deploymentId } = job;
    try {
      switch (job.kind) {
        case 'release-batch':
          return await this.jobs.releaseBatch(deploymentId, job.batch);
        case 'skip-pending':
          return await this.jobs.skipPending(deploymentId);
        case 'retry-failed':
          return await this.jobs.retryFailed(deploymentId);
        case 'start':
          return await this.jobs.startAt(deploymentId, job.at);
      }
    } catch (error) {
      this.logger.warn(
        { err: error, deployment_id: deploymentId, job: job.kind, ...trace },
        'job could not be queued; the reconciler will queue it again',
      );
    }
  }

  /** Lets the rest of Ops-Center know what a deployment came to without anybody's doing. */
  #notify({ id, organizationId, name, status, pausedReason }: Deployment): void {
    this.telemetry.deploymentSettled(status);
    this.hostEvents.emit(`ota.deployment.${status}`, {
      deployment_id: id,
      organization_id: organizationId,
      deployment_name: name,
      ...(pausedReason !== null && { reason: pausedReason }),
    });
  }
}
