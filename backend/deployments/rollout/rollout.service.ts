import { inject, injectable } from 'inversify';
import { Logger } from '../../kernel/logger.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import { UnitOfWork } from '../../kernel/unit-of-work.ts';
import { MANY_DEVICES } from '../model/change-feed.ports.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import { DeploymentRepository, IdempotencyKeys } from '../model/deployment.ports.ts';
import { DeploymentControl } from '../control/control.service.ts';
import type { Deployment, Target, TargetKey, GoneReason } from '../model/deployment.types.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { nextStep } from '../rules/batch-gate.ts';
import { figuresOf } from '../rules/figures.ts';
import { deviceGone, notPickedUp, timedOut, type TargetChange } from '../rules/target-changes.ts';
import { rolloutEvents } from '../rules/timeline-events.ts';
import { TargetRecovery } from '../control/recovery.service.ts';
import { TargetTransitions, type TargetRequest } from '../targets/target-transitions.service.ts';
import { type SweepTarget, TargetRepository } from '../model/target.ports.ts';

/** Targets per transaction of a sweep. */
const CHUNK = 1_000;
const SKIP_CHUNK = 10_000;
/** Open targets per scan for gone devices, and scans per sweep. */
const SCAN_SIZE = 20_000;
const SCANS_PER_SWEEP = 5;

/**
 * The work of jobs and periodic tasks. Every method may run twice, late, or in two processes at the same time: it locks
 * the deployment, reads the current state, and does what is due.
 */
@injectable()
export class RolloutService {
  /** Where the scan for gone devices continues; `null`: at the beginning. */
  #scanPosition: TargetKey | null = null;

  constructor(
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
    @inject(TargetTransitions) private readonly transitions: TargetTransitions,
    @inject(DeploymentControl) private readonly control: DeploymentControl,
    @inject(TargetRecovery) private readonly recovery: TargetRecovery,
    @inject(Logger) private readonly logger: Logger,
    @inject(IdempotencyKeys) private readonly keys: IdempotencyKeys,
  ) {}

  /** Releases the batch that is due, if any, according to {@link nextStep}. */
  async releaseBatch(deploymentId: string): Promise<void> {
    await this.transactions.withLockedIfExists(
      deploymentId,
      async ({ tx, transaction, deployment }) => {
        const batches = await this.deployments.batchesOf(tx, deploymentId);
        const step = nextStep(figuresOf(deployment, batches));
        const due = step.kind === 'release' && batches.find(({ number }) => number === step.batch);
        if (due) {
          await this.deployments.release(tx, deploymentId, due);
          transaction.record(rolloutEvents.batchReleased(deployment, due));
          transaction.changed(deployment, MANY_DEVICES);
          transaction.batchReleased(due.size);
        }
        // All targets of the batch may have finished before its release; then the next batch is due.
        await this.steps.advance(transaction, deployment);
      },
    );
  }

  startScheduled(deploymentId: string): Promise<void> {
    return this.control.startScheduled(deploymentId);
  }

  /** Skips the remaining pending targets of a cancelled deployment, in chunks, so that reports are not blocked for long. */
  async skipPending(deploymentId: string): Promise<void> {
    for (let skipped = SKIP_CHUNK; skipped === SKIP_CHUNK;) {
      skipped = 0;
      await this.transactions.withLockedIfExists(
        deploymentId,
        async ({ tx, transaction, deployment }) => {
          if (deployment.status !== 'cancelled') return;
          skipped = await this.targets.skipPending(
            tx,
            deploymentId,
            'cancelled',
            tx.now,
            SKIP_CHUNK,
          );
          transaction.changed(deployment, MANY_DEVICES);
        },
      );
    }
  }

  /** Continues a retry of many targets. */
  retryFailed(deploymentId: string): Promise<void> {
    return this.recovery.resumeRetry(deploymentId);
  }

  /**
   * Finishes targets whose device is gone (docs/contract.md, States), has stopped reporting, or has not polled (there,
   * Strategies). A gone device is skipped, even if it has timed out as well.
   */
  async sweepTimeouts(): Promise<void> {
    await this.#deleteExpiredKeys();
    await this.#sweepGone();
    await this.#sweep(() => this.targets.findOverdue(CHUNK), decideBy(timedOut));
    await this.#sweep(() => this.targets.findNotPickedUp(CHUNK), decideBy(notPickedUp));
  }

  /** Deletes expired idempotency keys. */
  async #deleteExpiredKeys(): Promise<void> {
    await this.work.run((tx) => this.keys.deleteExpired(tx, CHUNK), LIMITS.jobs);
  }

  /** Each sweep scans a part of all open targets; in the largest fleets a full round takes some minutes. */
  async #sweepGone(): Promise<void> {
    for (let steps = 0; steps < SCANS_PER_SWEEP; steps += 1) {
      const { targets: found, next } = await this.targets.findGone(this.#scanPosition, SCAN_SIZE);
      for (let from = 0; from < found.length; from += CHUNK) {
        const requests = found.slice(from, from + CHUNK).map(({ key, goneReason }) => ({
          key,
          decide: skipGone(goneReason),
        }));
        await this.#finish(requests);
      }
      this.#scanPosition = next;
      if (next === null) return;
    }
  }

  /**
   * Does what is due in every unsettled deployment, in case a job was lost. A deployment that is locked or fails does not
   * hold up the others; the next run tries it again.
   */
  async reconcile(): Promise<void> {
    for (const { id, status, isRetrying } of await this.deployments.findUnsettled()) {
      try {
        if (isRetrying) await this.retryFailed(id);
        if (status === 'pending') await this.startScheduled(id);
        else if (status === 'cancelled') await this.skipPending(id);
        else await this.releaseBatch(id);
      } catch (error) {
        this.logger.warn({ err: error, deployment_id: id }, 'deployment could not be reconciled');
      }
    }
  }

  /** @param late decides about targets whose device exists */
  async #sweep(find: () => Promise<SweepTarget[]>, late: Decide): Promise<void> {
    for (let found = CHUNK; found === CHUNK;) {
      const targets = await find();
      found = targets.length;
      const requests = targets.map(({ key, goneReason }) => ({
        key,
        decide: goneReason ? skipGone(goneReason) : late,
      }));
      // Targets of a locked deployment would be found again at once; leave them for the next sweep.
      if (!(await this.#finish(requests))) return;
    }
  }

  /**
   * Applies requests, one transaction per deployment, so that one that is locked or fails does not hold up the others.
   * Resolves to whether all succeeded.
   */
  async #finish(all: TargetRequest<boolean>[]): Promise<boolean> {
    let allFinished = true;
    for (const deploymentId of new Set(all.map(({ key }) => key.deploymentId))) {
      const requests = all.filter(({ key }) => key.deploymentId === deploymentId);
      try {
        await this.transitions.apply(requests, LIMITS.jobs);
      } catch (error) {
        allFinished = false;
        this.logger.warn(
          { err: error, deployment_id: deploymentId },
          'targets could not be finished; retried at the next sweep',
        );
      }
    }
    return allFinished;
  }
}

type Decide = TargetRequest<boolean>['decide'];

/** Turns a rule into a decision. `null` from the rule, or no such target: nothing changes. */
function decideBy(
  rule: (target: Target, deployment: Deployment, now: Date) => TargetChange | null,
): Decide {
  return (target, deployment, now) => {
    const change = target && deployment && rule(target, deployment, now);
    return change ? { ...change, result: true } : { result: false };
  };
}

const skipGone = (reason: GoneReason): Decide =>
  decideBy((target, deployment, now) => deviceGone(target, deployment, now, reason));
