import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { DomainError } from '../../kernel/errors.ts';
import { MANY_DEVICES } from '../model/change-feed.ports.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import {
  DeploymentTransactions,
  type LockedDeployment,
} from '../transaction/deployment-transactions.service.ts';
import { BatchRepository, DeploymentRepository } from '../model/deployment.ports.ts';
import { sumBreakdowns } from '../model/deployment.types.ts';
import { SYSTEM, type Actor } from '../../audit/actor.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { countFailures } from '../rules/batch-gate.ts';
import { shareOf } from '../rules/batch-plan.ts';
import { stateAfter } from '../rules/deployment-states.ts';
import { figuresOf } from '../rules/figures.ts';
import { actionEvents, actorOf } from '../rules/timeline-events.ts';
import { TargetRepository } from '../model/target.ports.ts';

/** Pending targets that a cancel skips before it responds; a job skips the rest. */
const SKIPPED_AT_ONCE = 10_000;

/** Carries out the actions on deployments (docs/contract.md, States), except `retry`. */
@injectable()
export class DeploymentControl {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
  ) {}

  /** Starts a pending deployment. */
  async start(admin: AdminCaller, id: string): Promise<void> {
    await this.jobs.assertAvailable();
    await this.transactions.runAction('start', admin, id, (locked) =>
      this.#begin(locked, actorOf(admin)),
    );
  }

  /** Starts a scheduled deployment when it is due. Does nothing if it is no longer pending. */
  async startScheduled(id: string): Promise<void> {
    await this.transactions.withLocked(
      id,
      null,
      async (locked) => {
        const { tx, deployment } = locked;
        const isDue = deployment.scheduledAt !== null && deployment.scheduledAt <= tx.now;
        if (deployment.status !== 'pending' || !isDue) return;
        await this.#begin(locked, SYSTEM);
      },
      { limits: LIMITS.jobs },
    );
  }

  /** Pauses a deployment; devices that are updating finish. */
  async pause(admin: AdminCaller, id: string): Promise<void> {
    await this.transactions.runAction('pause', admin, id, async (locked) => {
      const { tx, transaction, deployment } = locked;
      await this.deployments.update(tx, deployment.id, {
        status: stateAfter('pause', deployment.status),
        pausedReason: 'admin',
      });
      transaction.record(actionEvents.paused(deployment, actorOf(admin)));
    });
  }

  /** Resumes a paused deployment and accepts the failures so far (docs/contract.md, Strategies). */
  async resume(admin: AdminCaller, id: string): Promise<void> {
    await this.jobs.assertAvailable();
    await this.transactions.runAction('resume', admin, id, async (locked) => {
      const { tx, transaction, deployment, batches } = locked;
      deployment.status = stateAfter('resume', deployment.status);
      deployment.pausedReason = null;
      deployment.acceptedFailures = countFailures(figuresOf(deployment, batches));
      await this.deployments.update(tx, deployment.id, {
        status: deployment.status,
        pausedReason: null,
        acceptedFailures: deployment.acceptedFailures,
        resumedAt: tx.now,
      });
      transaction.record(
        actionEvents.resumed(deployment, actorOf(admin), deployment.acceptedFailures),
      );
      await this.steps.advance(transaction, deployment);
    });
  }

  /** Cancels a deployment: skips pending targets, and stops devices that have not reached `installing`. */
  async cancel(admin: AdminCaller, id: string): Promise<void> {
    await this.transactions.runAction('cancel', admin, id, async (locked) => {
      const { tx, transaction, deployment, batches } = locked;
      transaction.changed(deployment, MANY_DEVICES);
      await this.deployments.update(tx, deployment.id, {
        status: stateAfter('cancel', deployment.status),
        pausedReason: null,
        retryFailedBefore: null,
        completedAt: tx.now,
      });
      const { pending } = sumBreakdowns(batches);
      transaction.record(actionEvents.cancelled(deployment, actorOf(admin), pending));
      await this.targets.skipPending(tx, deployment.id, 'cancelled', tx.now, SKIPPED_AT_ONCE);
      if (pending > SKIPPED_AT_ONCE) {
        transaction.enqueue({ kind: 'skip-pending', deploymentId: deployment.id });
      }
    });
  }

  /**
   * Releases more targets of a canary, up to `percentage` of all targets. Throws `percentage_too_low` if that adds no
   * device.
   */
  async expand(admin: AdminCaller, id: string, percentage: number): Promise<void> {
    await this.jobs.assertAvailable();
    await this.transactions.runAction('expand', admin, id, async (locked) => {
      const { tx, transaction, deployment, batches } = locked;
      const rest = batches.find((batch) => batch.releaseRequestedAt === null);
      const upTo = shareOf(deployment.totalDevices, percentage);
      if (!rest || upTo <= rest.firstPosition) {
        const released = rest?.firstPosition ?? deployment.totalDevices;
        throw percentageTooLow(percentage, released, deployment.totalDevices);
      }
      const size = upTo - rest.firstPosition;
      if (size < rest.size) await this.batches.split(tx, deployment.id, rest, size);
      await this.batches.requestRelease(tx, deployment.id, rest.number, tx.now);
      const added = Math.min(size, rest.size);
      transaction.record(actionEvents.expanded(deployment, actorOf(admin), percentage, added));
      await this.steps.advance(transaction, deployment);
    });
  }

  async #begin(locked: LockedDeployment, actor: Actor): Promise<void> {
    const { tx, transaction, deployment } = locked;
    deployment.status = stateAfter('start', deployment.status);
    await this.deployments.update(tx, deployment.id, {
      status: deployment.status,
      startedAt: tx.now,
    });
    await this.batches.requestRelease(tx, deployment.id, 1, tx.now);
    transaction.record(actionEvents.started(deployment, actor));
    await this.steps.advance(transaction, deployment);
  }
}

function percentageTooLow(percentage: number, released: number, total: number): DomainError {
  return new DomainError(
    'percentage_too_low',
    `${percentage} % of ${total} devices is ${shareOf(total, percentage)}, but ${released} are ` +
      'already released. Choose a higher percentage, up to 100.',
  );
}
