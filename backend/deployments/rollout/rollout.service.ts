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

/** Targets handled by one transaction of a sweep. */
const CHUNK = 1_000;
const SKIP_CHUNK = 10_000;
/** Open targets looked through at a time for devices that are gone, and how often in one sweep. */
const SCAN_SIZE = 20_000;
const SCANS_PER_SWEEP = 5;

/**
 * The jobs' side of a rollout. Every method may run twice, late, or beside itself in another process:
 * it locks the deployment, reads what is so, and does what is due, or nothing.
 */
@injectable()
export class RolloutService {
  /** Where the walk over open targets stands; a new process begins anew. */
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

  /** Releases the batch that is due, if one is; never one ahead of its gate. */
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
        // Targets of the batch may have ended before it was released; then the next one is due.
        await this.steps.advance(transaction, deployment);
      },
    );
  }

  startScheduled(deploymentId: string): Promise<void> {
    return this.control.startScheduled(deploymentId);
  }

  /** Skips what a cancel left, in chunks that leave room for reports in between. */
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

  /** Resumes a retry of many devices. */
  retryFailed(deploymentId: string): Promise<void> {
    return this.recovery.resumeRetry(deploymentId);
  }

  /**
   * Ends targets whose device is gone (docs/contract.md, States), went silent or never
   * came (there, Strategies). What became of a device is asked first: one that is gone has not failed.
   */
  async sweepTimeouts(): Promise<void> {
    await this.#deleteExpiredKeys();
    await this.#sweepGone();
    await this.#sweep(() => this.targets.findOverdue(CHUNK), decideBy(timedOut));
    await this.#sweep(() => this.targets.findNotPickedUp(CHUNK), decideBy(notPickedUp));
  }

  /** Forgets the keys of creations that nobody may repeat any more. */
  async #deleteExpiredKeys(): Promise<void> {
    await this.work.run((tx) => this.keys.deleteExpired(tx, CHUNK), LIMITS.jobs);
  }

  /** A part of all open targets at each sweep: in the largest fleets a round takes some minutes. */
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
   * Does for every unsettled deployment what is due, whatever became of the job that was to do it. Each
   * stands alone: one that is locked, or fails, holds no other up and comes again.
   */
  async reconcile(): Promise<void> {
    for (const { id, status, isRetrying } of await this.deployments.findUnsettled()) {
      try {
        if (isRetrying) await this.retryFailed(id);
        if (status === 'pending') await this.startScheduled(id);
        else if (status === 'cancelled') await this.skipPending(id);
        else await this.releaseBatch(id);
      } catch (error) {
        this.logger.warn({ err: error, deployment_id: id }, 'deployment could not be looked at');
      }
    }
  }

  /** @param late what becomes of a target whose device is there */
  async #sweep(find: () => Promise<SweepTarget[]>, late: Decide): Promise<void> {
    for (let found = CHUNK; found === CHUNK;) {
      const targets = await find();
      found = targets.length;
      const requests = targets.map(({ key, goneReason }) => ({
        key,
        decide: goneReason ? skipGone(goneReason) : late,
      }));
      // What is locked would be found again at once: it waits for the next sweep.
      if (!(await this.#finish(requests))) return;
    }
  }

  /** Deployment by deployment: one that is locked, or fails, holds no other up. Whether none did. */
  async #finish(all: TargetRequest<boolean>[]): Promise<boolean> {
    let allEnded = true;
    for (const deploymentId of new Set(all.map(({ key }) => key.deploymentId))) {
      const requests = all.filter(({ key }) => key.deploymentId === deploymentId);
      try {
        await this.transitions.apply(requests, LIMITS.jobs);
      } catch (error) {
        allEnded = false;
        this.logger.warn(
          { err: error, deployment_id: deploymentId },
          'targets could not be ended; they come again',
        );
      }
    }
    return allEnded;
  }
}

type Decide = TargetRequest<boolean>['decide'];

/** Makes a rule about a target that exists a decision; `null` from the rule: nothing changes. */
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
