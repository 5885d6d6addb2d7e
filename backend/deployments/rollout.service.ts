import { inject, injectable } from 'inversify';
import type { Logger } from 'pino';
import type { EventRepository, NewEvent } from '../audit/event.ports.ts';
import { LIMITS } from '../kernel/time-limits.ts';
import type { Transaction, UnitOfWork } from '../kernel/unit-of-work.ts';
import type { EventType } from '../contract/admin-api.ts';
import type { Telemetry } from '../observability/telemetry.ports.ts';
import { MANY_DEVICES } from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import { AfterCommit } from './after-commit.ts';
import { nextStep } from './batch-gate.ts';
import type { DeploymentRepository, IdempotencyKeys } from './deployment.ports.ts';
import { DeploymentService } from './deployment.service.ts';
import {
  SYSTEM,
  type Batch,
  type Deployment,
  type Target,
  type TargetKey,
} from './deployment.types.ts';
import { RolloutSteps, figuresOf } from './rollout-steps.ts';
import { TargetRecovery } from './target-recovery.service.ts';
import { TargetTransitions, type TargetRequest } from './target-transition.service.ts';
import type { FoundTarget, TargetRepository } from './target.ports.ts';
import { GONE_WORDS, isEnded, isWorking, type GoneReason } from './target.states.ts';

/** Targets handled by one transaction of a sweep. */
const CHUNK = 1_000;
const SKIP_CHUNK = 10_000;
/** Open targets looked through at a time for devices that are gone, and how often in one sweep. */
const WALK = 20_000;
const WALK_STEPS = 5;

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
  readonly #recovery: TargetRecovery;
  readonly #telemetry: Telemetry;
  readonly #logger: Logger;
  readonly #keys: IdempotencyKeys;
  /** Where the walk over open targets stands; a new process begins anew. */
  #walkedTo: TargetKey | null = null;

  constructor(
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.TargetRepository) targets: TargetRepository,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(RolloutSteps) steps: RolloutSteps,
    @inject(TargetTransitions) transitions: TargetTransitions,
    @inject(DeploymentService) service: DeploymentService,
    @inject(TargetRecovery) recovery: TargetRecovery,
    @inject(TOKENS.Telemetry) telemetry: Telemetry,
    @inject(TOKENS.Logger) logger: Logger,
    @inject(TOKENS.IdempotencyKeys) keys: IdempotencyKeys,
  ) {
    this.#work = work;
    this.#deployments = deployments;
    this.#targets = targets;
    this.#events = events;
    this.#steps = steps;
    this.#transitions = transitions;
    this.#service = service;
    this.#recovery = recovery;
    this.#telemetry = telemetry;
    this.#logger = logger;
    this.#keys = keys;
  }

  /** Releases the batch that is due, if one is; never one ahead of its gate. */
  async releaseBatch(deploymentId: string): Promise<void> {
    await this.#settle(deploymentId, async (tx, deployment, afterCommit) => {
      const batches = await this.#deployments.batchesOf(tx, deploymentId);
      const step = nextStep(figuresOf(deployment, batches));
      const due = step.kind === 'release' && batches.find(({ number }) => number === step.batch);
      if (due) {
        await this.#deployments.release(tx, deploymentId, due);
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
        skipped = await this.#targets.skipPending(
          tx,
          deploymentId,
          'cancelled',
          tx.now,
          SKIP_CHUNK,
        );
        this.#steps.announce(afterCommit, deployment, MANY_DEVICES);
      });
    }
  }

  /** Resumes a retry of many devices. */
  retryFailed(deploymentId: string): Promise<void> {
    return this.#recovery.resumeRetry(deploymentId);
  }

  /**
   * Ends targets whose device is gone (docs/contract.md, States), went silent or never
   * came (there, Strategies). What became of a device is asked first: one that is gone has not failed.
   */
  async sweepTimeouts(): Promise<void> {
    await this.#forgetKeys();
    await this.#sweepGone();
    await this.#sweep(() => this.#targets.findOverdue(CHUNK), timeOut);
    await this.#sweep(() => this.#targets.findNotPickedUp(CHUNK), giveUp);
  }

  /** Forgets the keys of creations that nobody may repeat any more. */
  async #forgetKeys(): Promise<void> {
    await this.#work.run((tx) => this.#keys.forgetOld(tx, CHUNK), LIMITS.jobs);
  }

  /** A part of all open targets at each sweep: in the largest fleets a round takes some minutes. */
  async #sweepGone(): Promise<void> {
    for (let steps = 0; steps < WALK_STEPS; steps += 1) {
      const { found, next } = await this.#targets.findGone(this.#walkedTo, WALK);
      for (let from = 0; from < found.length; from += CHUNK) {
        const requests = found.slice(from, from + CHUNK).map(({ key, gone }) => ({
          key,
          decide: endGone(gone),
        }));
        await this.#end(requests);
      }
      this.#walkedTo = next;
      if (next === null) return;
    }
  }

  /**
   * Does for every unsettled deployment what is due, whatever became of the job that was to do it. Each
   * stands alone: one that is locked, or fails, holds no other up and comes again.
   */
  async reconcile(): Promise<void> {
    for (const { id, status, isRetrying } of await this.#deployments.findUnsettled()) {
      try {
        if (isRetrying) await this.retryFailed(id);
        if (status === 'pending') await this.startScheduled(id);
        else if (status === 'cancelled') await this.skipPending(id);
        else await this.releaseBatch(id);
      } catch (error) {
        this.#logger.warn({ err: error, deployment_id: id }, 'deployment could not be looked at');
      }
    }
  }

  /** @param late what becomes of a target whose device is there */
  async #sweep(find: () => Promise<FoundTarget[]>, late: Decide): Promise<void> {
    for (let found = CHUNK; found === CHUNK;) {
      const targets = await find();
      found = targets.length;
      const requests = targets.map(({ key, gone }) => ({
        key,
        decide: gone ? endGone(gone) : late,
      }));
      // What is locked would be found again at once: it waits for the next sweep.
      if (!(await this.#end(requests))) return;
    }
  }

  /** Deployment by deployment: one that is locked, or fails, holds no other up. Whether none did. */
  async #end(all: TargetRequest<boolean>[]): Promise<boolean> {
    let allEnded = true;
    for (const deploymentId of new Set(all.map(({ key }) => key.deploymentId))) {
      const requests = all.filter(({ key }) => key.deploymentId === deploymentId);
      try {
        await this.#transitions.apply(requests, LIMITS.jobs);
      } catch (error) {
        allEnded = false;
        this.#logger.warn(
          { err: error, deployment_id: deploymentId },
          'targets could not be ended; they come again',
        );
      }
    }
    return allEnded;
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
    }, LIMITS.jobs);
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

type Decide = TargetRequest<boolean>['decide'];

/** Whatever the device was doing: it is not a failure, and no rollback can be asked of it any more. */
function endGone(reason: GoneReason): Decide {
  return (target, deployment, now) => {
    if (!target || !deployment) return { result: false };
    const { rollbackVersion } = target;
    const isUnfinished = !isEnded(target.status);
    if (!isUnfinished && rollbackVersion === null) return { result: false };
    const event = (type: EventType, data: Record<string, unknown>): NewEvent => ({
      organizationId: deployment.organizationId,
      deploymentId: deployment.id,
      type,
      actor: SYSTEM,
      deviceId: target.deviceId,
      data,
    });
    return {
      result: true,
      next: {
        ...target,
        rollbackVersion: null,
        rollbackRequestedBy: null,
        ...(isUnfinished && {
          status: 'skipped',
          skipReason: reason,
          progress: null,
          completedAt: now,
          errorMessage: `the device ${GONE_WORDS[reason]}`,
        }),
      },
      events: [
        ...(isUnfinished ? [event('devices_skipped', { reason, devices: 1 })] : []),
        ...(rollbackVersion === null
          ? []
          : [event('rollback_withdrawn', { version: rollbackVersion, reason })]),
      ],
    };
  };
}

function giveUp(target: Target | null, deployment: Deployment | null, now: Date) {
  if (!target || deployment?.status !== 'in_progress' || target.status !== 'pending') {
    return { result: false };
  }
  return {
    result: true,
    next: {
      ...target,
      status: 'skipped' as const,
      skipReason: 'not_checked_in' as const,
      completedAt: now,
      errorMessage: `did not check in within ${deployment.policy.pickup_timeout_hours} hours`,
    },
    events: [
      {
        organizationId: deployment.organizationId,
        deploymentId: deployment.id,
        type: 'devices_skipped' as const,
        actor: SYSTEM,
        deviceId: target.deviceId,
        data: { reason: 'not_checked_in', devices: 1 },
      },
    ],
  };
}

function timeOut(target: Target | null, deployment: Deployment | null, now: Date) {
  if (!target || !deployment || !isWorking(target.status)) return { result: false };
  const minutes = deployment.policy.device_timeout_minutes;
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
