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
import { BatchRepository, DeploymentRepository } from '../model/deployment.ports.ts';
import type { Batch, Deployment } from '../model/deployment.types.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { isAllowed } from '../rules/deployment-states.ts';
import { actionContextOf } from '../rules/figures.ts';
import { actionNotPossible } from '../rules/action-not-possible.ts';
import { HostEvents } from '../../kernel/host-events.ts';

/** A deployment that the transaction has locked, with its batches. */
export interface LockedDeployment {
  tx: Transaction;
  transaction: DeploymentTransaction;
  deployment: Deployment;
  batches: Batch[];
}

interface LockOptions {
  /** Also lock all newer deployments of the organization. */
  withNewer?: boolean;
  limits?: TransactionLimits;
}

/**
 * Runs every transaction on deployments and targets: locks the rows, runs the work, commits, and then publishes live
 * updates, enqueues jobs and notifies the host. If two requests race, the second sees the state after the first.
 */
@injectable()
export class DeploymentTransactions {
  constructor(
    @inject(UnitOfWork) private readonly unitOfWork: UnitOfWork,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(EventRepository) private readonly events: EventRepository,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(ChangeFeed) private readonly feed: ChangeFeed,
    @inject(HostEvents) private readonly hostEvents: HostContext['events'],
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /**
   * Runs `work` in a transaction. `work` locks what it needs, in the order that `DeploymentRepository` defines.
   *
   * @param trace additional fields of log lines, such as `request_id`
   */
  async run<T>(
    work: (transaction: DeploymentTransaction) => Promise<T>,
    limits?: TransactionLimits,
    trace: object = {},
  ): Promise<T> {
    const { result, effects } = await this.unitOfWork.run(async (tx) => {
      const transaction = new DeploymentTransaction(tx);
      const value = await work(transaction);
      const collected = transaction.effects();
      if (collected.events.length > 0) await this.events.append(tx, collected.events);
      return { result: value, effects: collected };
    }, limits);
    await this.#applyEffects(effects, trace);
    return result;
  }

  /**
   * Locks the deployment and runs an action of an admin on it. Throws `not_found`, and `invalid_state` if the action is
   * not possible.
   */
  runAction(
    action: DeploymentAction,
    admin: AdminCaller,
    id: string,
    work: (locked: LockedDeployment) => Promise<void>,
  ): Promise<void> {
    return this.withLocked(id, admin, async (locked) => {
      const { deployment, batches } = locked;
      if (!isAllowed(action, actionContextOf(deployment, batches))) {
        throw actionNotPossible(action, deployment, batches);
      }
      await work(locked);
    });
  }

  /**
   * Locks the deployment, runs `work` on it in any state, and publishes a change. `caller` limits the access to the
   * organization; `null`: the system. Throws `not_found`.
   */
  withLocked<T>(
    id: string,
    caller: AdminCaller | null,
    work: (locked: LockedDeployment) => Promise<T>,
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
        const batches = await this.batches.list(tx, id);
        const result = await work({ tx, transaction, deployment, batches });
        transaction.changed(deployment);
        return result;
      },
      limits,
      caller ? { request_id: caller.requestId } : {},
    );
  }

  /**
   * Locks the deployment and runs `work` on it with the limits of jobs; does nothing if the deployment does not exist.
   * Unlike {@link withLocked}, it publishes a change only if `work` does.
   */
  withLockedIfExists(
    id: string,
    work: (locked: Omit<LockedDeployment, 'batches'>) => Promise<void>,
  ): Promise<void> {
    return this.run(async (transaction) => {
      const { tx } = transaction;
      const [deployment] = await this.deployments.lock(tx, [id]);
      if (deployment) await work({ tx, transaction, deployment });
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

  /** Failing to enqueue is not an error of the request, because the reconciler will do the work of the job. */
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
        'job could not be enqueued; the reconciler will do its work',
      );
    }
  }

  /** Emits the event of the host contract (`HostContext.events`). */
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
