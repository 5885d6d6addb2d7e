import { inject, injectable } from 'inversify';
import { Logger } from '../../kernel/logger.ts';
import { MANY_DEVICES } from '../model/change-feed.ports.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import { BatchRepository, DeploymentRepository } from '../model/deployment.ports.ts';
import { DeploymentControl } from '../control/control.service.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { nextStep } from '../rules/batch-gate.ts';
import { figuresOf } from '../rules/figures.ts';
import { rolloutEvents } from '../rules/timeline-events.ts';
import { TargetRecovery } from '../control/recovery.service.ts';
import { TargetRepository } from '../model/target.ports.ts';

/** Targets that one transaction skips. */
const SKIP_CHUNK = 10_000;

/**
 * The work of jobs and of the reconciler. Every method may run twice, late, or in two processes at the same time: it locks
 * the deployment, reads the current state, and does what is due.
 */
@injectable()
export class RolloutService {
  constructor(
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
    @inject(DeploymentControl) private readonly control: DeploymentControl,
    @inject(TargetRecovery) private readonly recovery: TargetRecovery,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Releases the batch that is due, if any, according to {@link nextStep}. */
  async releaseBatch(deploymentId: string): Promise<void> {
    await this.transactions.withLockedIfExists(
      deploymentId,
      async ({ tx, transaction, deployment }) => {
        const batches = await this.batches.list(tx, deploymentId);
        const step = nextStep(figuresOf(deployment, batches));
        const due = step.kind === 'release' && batches.find(({ number }) => number === step.batch);
        if (due) {
          await this.batches.release(tx, deploymentId, due);
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
}
