import { inject, injectable } from 'inversify';
import type { DeploymentTransaction } from './deployment-transaction.ts';
import { BatchRepository, DeploymentRepository } from '../model/deployment.ports.ts';
import { sumBreakdowns, type Batch, type Deployment } from '../model/deployment.types.ts';
import { countFailures, nextStep } from '../rules/batch-gate.ts';
import { figuresOf } from '../rules/figures.ts';
import { rolloutEvents } from '../rules/timeline-events.ts';

/**
 * Carries out the {@link nextStep} of a locked deployment. Pausing and finishing are part of the transaction; a release
 * is done by a job after the commit.
 */
@injectable()
export class RolloutSteps {
  constructor(
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
  ) {}

  async advance(transaction: DeploymentTransaction, deployment: Deployment): Promise<void> {
    const { tx } = transaction;
    const batches = await this.batches.list(tx, deployment.id);
    const step = nextStep(figuresOf(deployment, batches));
    switch (step.kind) {
      case 'pause':
        return this.#pause(transaction, deployment, batches);
      case 'finish':
        return this.#finish(transaction, deployment, step.status, batches);
      case 'release':
        await this.batches.requestRelease(tx, deployment.id, step.batch, tx.now);
        transaction.enqueue({
          kind: 'release-batch',
          deploymentId: deployment.id,
          batch: step.batch,
        });
        return;
      case 'wait':
        return;
    }
  }

  async #pause(
    transaction: DeploymentTransaction,
    deployment: Deployment,
    batches: Batch[],
  ): Promise<void> {
    const failures = countFailures(figuresOf(deployment, batches));
    deployment.status = 'paused';
    deployment.pausedReason = 'failure_threshold';
    await this.deployments.update(transaction.tx, deployment.id, {
      status: deployment.status,
      pausedReason: deployment.pausedReason,
    });
    const { failure_threshold_percent: threshold } = deployment.policy;
    transaction.record(rolloutEvents.pausedByFailures(deployment, failures, threshold));
    transaction.changed(deployment);
    transaction.settled(deployment);
  }

  async #finish(
    transaction: DeploymentTransaction,
    deployment: Deployment,
    status: 'completed' | 'failed',
    batches: Batch[],
  ): Promise<void> {
    deployment.status = status;
    deployment.pausedReason = null;
    deployment.completedAt = transaction.tx.now;
    await this.deployments.update(transaction.tx, deployment.id, {
      status,
      pausedReason: null,
      completedAt: deployment.completedAt,
    });
    transaction.record(rolloutEvents.finished(deployment, status, sumBreakdowns(batches)));
    transaction.changed(deployment);
    transaction.settled(deployment);
  }
}
