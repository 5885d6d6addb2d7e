import { inject, injectable } from 'inversify';
import type { EventRepository, NewEvent } from '../audit/event.ports.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Transaction, UnitOfWork } from '../kernel/unit-of-work.ts';
import type { Telemetry } from '../observability/telemetry.ports.ts';
import { MANY_DEVICES } from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import { AfterCommit } from './after-commit.ts';
import { nextStep } from './batch-gate.ts';
import type { DeploymentRepository } from './deployment.ports.ts';
import { DeploymentService } from './deployment.service.ts';
import {
  SYSTEM,
  type Batch,
  type Deployment,
  type Target,
  type TargetKey,
} from './deployment.types.ts';
import type { RolloutJobs } from './rollout-jobs.ts';
import { RolloutSteps, figuresOf } from './rollout-steps.ts';
import { TargetTransitions, type TargetRequest } from './target-transition.service.ts';
import type { TargetRepository } from './target.ports.ts';
import { isWorking } from './target.states.ts';

/** Targets handled by one transaction of a sweep. */
const CHUNK = 1_000;
const SKIP_CHUNK = 10_000;

/**
 * The jobs' side of a rollout. Every method may run twice, late, or beside itself in another process:
 * it locks the deployment, reads what is so, and does what is due, or nothing.
 */
@injectable()
export class RolloutService {
  readonly #work: UnitOfWork;
  readonly #deployments: DeploymentRepository;
  readonly #targets: TargetRepository;
  readonly #events: EventRepository;
  readonly #steps: RolloutSteps;
  readonly #transitions: TargetTransitions;
  readonly #service: DeploymentService;
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;

  constructor(
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.TargetRepository) targets: TargetRepository,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(RolloutSteps) steps: RolloutSteps,
    @inject(TargetTransitions) transitions: TargetTransitions,
    @inject(DeploymentService) service: DeploymentService,
    @inject(TOKENS.Clock) clock: Clock,
    @inject(TOKENS.Telemetry) telemetry: Telemetry,
  ) {
    this.#work = work;
    this.#deployments = deployments;
    this.#targets = targets;
    this.#events = events;
    this.#steps = steps;
    this.#transitions = transitions;
    this.#service = service;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Releases the batch that is due, if one is; never one ahead of its gate. */
  async releaseBatch(deploymentId: string): Promise<void> {
    await this.#settle(deploymentId, async (tx, deployment, afterCommit) => {
      const batches = await this.#deployments.batchesOf(tx, deploymentId);
      const step = nextStep(figuresOf(deployment, batches));
      const due = step.kind === 'release' && batches.find(({ number }) => number === step.batch);
      if (due) {
        await this.#deployments.release(tx, deploymentId, due, this.#clock.now());
        await this.#events.append(tx, [batchReleased(deployment, due)]);
        this.#steps.announce(afterCommit, deployment, MANY_DEVICES);
        afterCommit.add(() => Promise.resolve(this.#telemetry.batchReleased(due.size)));
      }
      // Targets of the batch may have ended before it was released; then the next one is due.
      await this.#steps.takeNext(tx, deployment, afterCommit);
    });
  }

  /** Looks at the gate: pauses, finishes, or makes the next batch due. */
  async passGate(deploymentId: string): Promise<void> {
    await this.#settle(deploymentId, async (tx, deployment, afterCommit) => {
      await this.#steps.takeNext(tx, deployment, afterCommit);
    });
  }

  startScheduled(deploymentId: string): Promise<void> {
    return this.#service.startScheduled(deploymentId);
  }

  /** Skips what a cancel left, in chunks that leave room for reports in between. */
  async skipPending(deploymentId: string): Promise<void> {
    for (let skipped = SKIP_CHUNK; skipped === SKIP_CHUNK;) {
      skipped = 0;
      await this.#settle(deploymentId, async (tx, deployment, afterCommit) => {
        if (deployment.status !== 'cancelled') return;
        const now = this.#clock.now();
        skipped = await this.#targets.skipPending(tx, deploymentId, 'cancelled', now, SKIP_CHUNK);
        this.#steps.announce(afterCommit, deployment, MANY_DEVICES);
      });
    }
  }

  /** Ends targets whose devices went silent, never came (CONTRACT section 3, timeouts) or are gone. */
  async sweepTimeouts(): Promise<void> {
    await this.#sweep(
      (now) => this.#targets.findOverdue(now, CHUNK),
      (target, deployment) => this.#timeOut(target, deployment),
    );
    await this.#sweep(
      (now) => this.#targets.findNotPickedUp(now, CHUNK),
      (target, deployment) =>
        this.#giveUp(target, deployment, {
          reason: 'not_checked_in',
          message: `did not check in within ${deployment?.policy.pickup_timeout_hours} hours`,
        }),
    );
    await this.#sweep(
      () => this.#targets.findRemoved(CHUNK),
      (target, deployment) =>
        this.#giveUp(target, deployment, {
          reason: 'device_removed',
          message: 'the device was removed from Ops-Center',
        }),
    );
  }

  /** Queues for every unsettled deployment what a lost job would have done. */
  async reconcile(jobs: RolloutJobs): Promise<void> {
    const now = this.#clock.now();
    for (const { id, status, scheduledAt } of await this.#deployments.findUnsettled(now)) {
      if (status === 'pending') await jobs.startAt(id, scheduledAt ?? now);
      else if (status === 'cancelled') await jobs.skipPending(id);
      else await jobs.passGate(id);
    }
  }

  async #sweep(
    find: (now: Date) => Promise<TargetKey[]>,
    decide: TargetRequest<boolean>['decide'],
  ): Promise<void> {
    for (let found = CHUNK; found === CHUNK;) {
      const keys = await find(this.#clock.now());
      found = keys.length;
      await this.#transitions.apply(keys.map((key) => ({ key, decide })));
    }
  }

  #timeOut(target: Target | null, deployment: Deployment | null) {
    if (!target || !deployment || !isWorking(target.status)) return { result: false };
    const minutes = deployment.policy.device_timeout_minutes;
    const now = this.#clock.now();
    const limit = new Date(now.getTime() - minutes * 60_000);
    if (target.lastReportAt && target.lastReportAt > limit) return { result: false };
    const errorMessage = `no report for ${minutes} minutes; last known step: ${target.status}`;
    return {
      result: true,
      next: {
        ...target,
        status: 'failed' as const,
        timedOut: true,
        completedAt: now,
        errorMessage,
      },
      events: [
        {
          organizationId: deployment.organizationId,
          deploymentId: deployment.id,
          type: 'device_timed_out' as const,
          actor: SYSTEM,
          deviceId: target.deviceId,
          data: { last_status: target.status, minutes, attempt: target.attempt },
        },
      ],
    };
  }

  #giveUp(
    target: Target | null,
    deployment: Deployment | null,
    { reason, message }: { reason: 'not_checked_in' | 'device_removed'; message: string },
  ) {
    if (!target || deployment?.status !== 'in_progress' || target.status !== 'pending') {
      return { result: false };
    }
    return {
      result: true,
      next: {
        ...target,
        status: 'skipped' as const,
        skipReason: 'not_checked_in' as const,
        completedAt: this.#clock.now(),
        errorMessage: message,
      },
      events: [
        {
          organizationId: deployment.organizationId,
          deploymentId: deployment.id,
          type: 'devices_skipped' as const,
          actor: SYSTEM,
          deviceId: target.deviceId,
          data: { reason, devices: 1 },
        },
      ],
    };
  }

  /** Runs `change` with the deployment locked; does nothing when there is no such deployment. */
  async #settle(
    deploymentId: string,
    change: (tx: Transaction, deployment: Deployment, afterCommit: AfterCommit) => Promise<void>,
  ): Promise<void> {
    const afterCommit = await this.#work.run(async (tx) => {
      const collected = new AfterCommit();
      const [deployment] = await this.#deployments.lock(tx, [deploymentId]);
      if (deployment) await change(tx, deployment, collected);
      return collected;
    });
    await afterCommit.run();
  }
}

function batchReleased(deployment: Deployment, batch: Batch): NewEvent {
  return {
    organizationId: deployment.organizationId,
    deploymentId: deployment.id,
    type: 'batch_released',
    actor: SYSTEM,
    data: { batch: batch.number, devices: batch.size },
  };
}
