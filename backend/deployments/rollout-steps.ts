import { inject, injectable } from 'inversify';
import type { Logger } from 'pino';
import type { EventRepository } from '../audit/event.ports.ts';
import type { HostContext } from '../host-contract.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type { Telemetry } from '../observability/telemetry.ports.ts';
import { NO_DEVICES, type ChangeFeed, type ChangedDevices } from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import type { AfterCommit } from './after-commit.ts';
import { countFailures, nextStep } from './batch-gate.ts';
import type { DeploymentRepository } from './deployment.ports.ts';
import { SYSTEM, sumBreakdowns, type Batch, type Deployment } from './deployment.types.ts';
import type { RolloutJobs } from './rollout-jobs.ts';

/**
 * Carries out what {@link nextStep} says for a deployment whose row the transaction has locked.
 * Pausing and finishing happen right here; a release is handed to its job after the commit.
 */
@injectable()
export class RolloutSteps {
  readonly #deployments: DeploymentRepository;
  readonly #events: EventRepository;
  readonly #jobs: RolloutJobs;
  readonly #feed: ChangeFeed;
  readonly #notices: HostContext['events'];
  readonly #logger: Logger;
  readonly #telemetry: Telemetry;

  constructor(
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(TOKENS.RolloutJobs) jobs: RolloutJobs,
    @inject(TOKENS.ChangeFeed) feed: ChangeFeed,
    @inject(TOKENS.Notices) notices: HostContext['events'],
    @inject(TOKENS.Logger) logger: Logger,
    @inject(TOKENS.Telemetry) telemetry: Telemetry,
  ) {
    this.#deployments = deployments;
    this.#events = events;
    this.#jobs = jobs;
    this.#feed = feed;
    this.#notices = notices;
    this.#logger = logger;
    this.#telemetry = telemetry;
  }

  async takeNext(tx: Transaction, deployment: Deployment, afterCommit: AfterCommit): Promise<void> {
    const batches = await this.#deployments.batchesOf(tx, deployment.id);
    const step = nextStep(figuresOf(deployment, batches));
    switch (step.kind) {
      case 'pause':
        await this.#pause(tx, deployment, batches);
        this.announce(afterCommit, deployment);
        this.#notify(afterCommit, deployment);
        break;
      case 'finish':
        await this.#finish(tx, deployment, step.status, batches);
        this.announce(afterCommit, deployment);
        this.#notify(afterCommit, deployment);
        break;
      case 'release':
        await this.#deployments.requestRelease(tx, deployment.id, step.batch, tx.now);
        this.handOver(afterCommit, deployment.id, (jobs) =>
          jobs.releaseBatch(deployment.id, step.batch),
        );
        break;
      case 'wait':
        break;
    }
  }

  /**
   * Hands a job to the queue after the commit. A lost one is made again by the reconciler, so its
   * loss is no error of the request.
   */
  handOver(
    afterCommit: AfterCommit,
    deploymentId: string,
    job: (jobs: RolloutJobs) => Promise<void>,
  ): void {
    afterCommit.add(() =>
      job(this.#jobs).catch((error: unknown) => {
        this.#logger.warn(
          { err: error, deployment_id: deploymentId, ...afterCommit.logContext },
          'job could not be queued; the reconciler will make up for it',
        );
      }),
    );
  }

  /** Tells whoever shows the deployment to look again. */
  announce(
    afterCommit: AfterCommit,
    deployment: Deployment,
    devices: ChangedDevices = NO_DEVICES,
  ): void {
    const { id: deploymentId, organizationId } = deployment;
    afterCommit.add(() => {
      this.#feed.publish([{ deploymentId, organizationId, devices }]);
      return Promise.resolve();
    });
  }

  /** Lets the rest of Ops-Center know what a deployment came to without anybody's doing. */
  #notify(afterCommit: AfterCommit, deployment: Deployment): void {
    const { id, organizationId, name, status, pausedReason } = deployment;
    afterCommit.add(() => {
      this.#telemetry.deploymentSettled(status);
      this.#notices.emit(`ota.deployment.${status}`, {
        deployment_id: id,
        organization_id: organizationId,
        deployment_name: name,
        ...(pausedReason !== null && { reason: pausedReason }),
      });
      return Promise.resolve();
    });
  }

  async #pause(tx: Transaction, deployment: Deployment, batches: Batch[]): Promise<void> {
    const figures = figuresOf(deployment, batches);
    deployment.status = 'paused';
    deployment.pausedReason = 'failure_threshold';
    await this.#deployments.update(tx, deployment.id, {
      status: 'paused',
      pausedReason: 'failure_threshold',
    });
    await this.#events.append(tx, [
      {
        organizationId: deployment.organizationId,
        deploymentId: deployment.id,
        type: 'paused',
        actor: SYSTEM,
        data: {
          reason: 'failure_threshold',
          failures: countFailures(figures),
          threshold_percent: deployment.policy.failure_threshold_percent,
        },
      },
    ]);
  }

  async #finish(
    tx: Transaction,
    deployment: Deployment,
    status: 'completed' | 'failed',
    batches: Batch[],
  ): Promise<void> {
    deployment.status = status;
    deployment.pausedReason = null;
    deployment.completedAt = tx.now;
    await this.#deployments.update(tx, deployment.id, {
      status,
      pausedReason: null,
      completedAt: deployment.completedAt,
    });
    await this.#events.append(tx, [
      {
        organizationId: deployment.organizationId,
        deploymentId: deployment.id,
        type: status,
        actor: SYSTEM,
        data: { ...sumBreakdowns(batches) },
      },
    ]);
  }
}

/** What the gate rule looks at, from a deployment and its batches. */
export function figuresOf(
  deployment: Deployment,
  batches: Batch[],
): Parameters<typeof nextStep>[0] {
  return {
    status: deployment.status,
    strategy: deployment.strategy,
    policy: deployment.policy,
    acceptedFailures: deployment.acceptedFailures,
    isRetrying: deployment.retryFailedBefore !== null,
    breakdown: sumBreakdowns(batches),
    rolledBackOnRequest: batches.reduce((sum, batch) => sum + batch.rolledBackOnRequest, 0),
    batches: batches.map((batch) => ({
      number: batch.number,
      releaseRequested: batch.releaseRequestedAt !== null,
      released: batch.releasedAt !== null,
      breakdown: batch.breakdown,
    })),
  };
}
