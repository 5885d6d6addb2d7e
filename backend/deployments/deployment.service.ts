import { inject, injectable } from 'inversify';
import type { EventRepository } from '../audit/event.ports.ts';
import type { EventType } from '../contract/admin-api.ts';
import type { DeploymentAction } from '../contract/states.ts';
import type { AdminIdentity } from '../host-contract.ts';
import type { Clock } from '../kernel/clock.ts';
import { DomainError, notFound } from '../kernel/errors.ts';
import type { Transaction, UnitOfWork } from '../kernel/unit-of-work.ts';
import {
  MANY_DEVICES,
  NO_DEVICES,
  type ChangeFeed,
  type ChangedDevices,
} from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import { AfterCommit } from './after-commit.ts';
import { countFailures } from './batch-gate.ts';
import { shareOf } from './batch-plan.ts';
import type { DeploymentRepository, TargetRepository } from './deployment.ports.ts';
import { allowedActions, isAllowed, stateAfter } from './deployment.states.ts';
import {
  SYSTEM,
  sumBreakdowns,
  type Actor,
  type Batch,
  type Deployment,
  type Target,
} from './deployment.types.ts';
import { situationOf } from './deployment.views.ts';
import type { RolloutJobs } from './rollout-jobs.ts';
import { RolloutSteps, figuresOf } from './rollout-steps.ts';

/** Pending targets that a cancel skips before it answers; the rest is a job's work. */
const SKIPPED_AT_ONCE = 10_000;

/** A deployment that the transaction has locked, and what an action needs to know of it. */
interface Locked {
  tx: Transaction;
  deployment: Deployment;
  batches: Batch[];
  afterCommit: AfterCommit;
  now: Date;
  /** Devices whose targets the action changes, for those who watch. */
  touched: { devices: ChangedDevices };
}

/**
 * Steering a deployment. Each action locks the deployment, checks the state table, writes the change
 * and its event, and commits; of two racing requests the second finds the new state and answers 409.
 */
@injectable()
export class DeploymentService {
  readonly #work: UnitOfWork;
  readonly #deployments: DeploymentRepository;
  readonly #targets: TargetRepository;
  readonly #events: EventRepository;
  readonly #jobs: RolloutJobs;
  readonly #steps: RolloutSteps;
  readonly #feed: ChangeFeed;
  readonly #clock: Clock;

  constructor(
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.TargetRepository) targets: TargetRepository,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(TOKENS.RolloutJobs) jobs: RolloutJobs,
    @inject(RolloutSteps) steps: RolloutSteps,
    @inject(TOKENS.ChangeFeed) feed: ChangeFeed,
    @inject(TOKENS.Clock) clock: Clock,
  ) {
    this.#work = work;
    this.#deployments = deployments;
    this.#targets = targets;
    this.#events = events;
    this.#jobs = jobs;
    this.#steps = steps;
    this.#feed = feed;
    this.#clock = clock;
  }

  async start(admin: AdminIdentity, id: string): Promise<void> {
    await this.#jobs.assertAvailable();
    await this.#act('start', admin, id, (locked) => this.#begin(locked, actorOf(admin)));
  }

  /** A scheduled start; does nothing when an admin started or cancelled it before. */
  async startScheduled(id: string): Promise<void> {
    await this.#withLocked(id, null, async (locked) => {
      const { deployment, now } = locked;
      const isDue = deployment.scheduledAt !== null && deployment.scheduledAt <= now;
      if (deployment.status !== 'pending' || !isDue) return;
      await this.#begin(locked, SYSTEM);
    });
  }

  async pause(admin: AdminIdentity, id: string): Promise<void> {
    await this.#act('pause', admin, id, async ({ tx, deployment }) => {
      await this.#deployments.update(tx, deployment.id, {
        status: stateAfter('pause', deployment.status),
        pausedReason: 'admin',
      });
      await this.#tell(tx, deployment, 'paused', actorOf(admin), { reason: 'admin' });
    });
  }

  /** Goes on where it stopped, and accepts the failures so far. */
  async resume(admin: AdminIdentity, id: string): Promise<void> {
    await this.#jobs.assertAvailable();
    await this.#act('resume', admin, id, async ({ tx, deployment, batches, afterCommit, now }) => {
      deployment.status = stateAfter('resume', deployment.status);
      deployment.pausedReason = null;
      deployment.acceptedFailures = countFailures(figuresOf(deployment, batches));
      await this.#deployments.update(tx, deployment.id, {
        status: deployment.status,
        pausedReason: null,
        acceptedFailures: deployment.acceptedFailures,
        resumedAt: now,
      });
      await this.#tell(tx, deployment, 'resumed', actorOf(admin), {
        accepted_failures: deployment.acceptedFailures,
      });
      await this.#steps.takeNext(tx, deployment, afterCommit);
    });
  }

  async cancel(admin: AdminIdentity, id: string): Promise<void> {
    await this.#act('cancel', admin, id, async (locked) => {
      const { tx, deployment, batches, afterCommit, now } = locked;
      locked.touched.devices = MANY_DEVICES;
      await this.#deployments.update(tx, deployment.id, {
        status: stateAfter('cancel', deployment.status),
        pausedReason: null,
        completedAt: now,
      });
      const { pending } = sumBreakdowns(batches);
      await this.#tell(tx, deployment, 'cancelled', actorOf(admin), { skipped_devices: pending });
      await this.#targets.skipPending(tx, deployment.id, 'cancelled', now, SKIPPED_AT_ONCE);
      if (pending > SKIPPED_AT_ONCE) {
        this.#steps.handOver(afterCommit, deployment.id, (jobs) => jobs.skipPending(deployment.id));
      }
    });
  }

  /**
   * Releases more of a canary: up to `percentage` of all targets. Throws `percentage_too_low` when
   * that adds no device.
   */
  async expand(admin: AdminIdentity, id: string, percentage: number): Promise<void> {
    await this.#jobs.assertAvailable();
    await this.#act('expand', admin, id, async ({ tx, deployment, batches, afterCommit, now }) => {
      const rest = batches.find((batch) => batch.releaseRequestedAt === null);
      const upTo = shareOf(deployment.totalDevices, percentage);
      if (!rest || upTo <= rest.firstPosition) {
        const asked = rest?.firstPosition ?? deployment.totalDevices;
        throw percentageTooLow(percentage, asked, deployment.totalDevices);
      }
      const size = upTo - rest.firstPosition;
      if (size < rest.size) await this.#deployments.splitBatch(tx, deployment.id, rest, size);
      await this.#deployments.requestRelease(tx, deployment.id, rest.number, now);
      await this.#tell(tx, deployment, 'expanded', actorOf(admin), {
        percentage,
        devices: Math.min(size, rest.size),
      });
      await this.#steps.takeNext(tx, deployment, afterCommit);
    });
  }

  /**
   * Takes failed targets and those that went back by themselves up again with a new attempt: all of
   * them, or the named ones (which may also have been rolled back by an admin). Devices that completed a newer deployment since are left alone: a new version is
   * never followed by an old one. Answers how many. Throws `invalid_state` when none can be retried.
   */
  async retry(admin: AdminIdentity, id: string, deviceIds: string[] | null): Promise<number> {
    await this.#jobs.assertAvailable();
    return this.#withLocked(id, admin.organizationId, async (locked) => {
      const { tx, deployment, afterCommit } = locked;
      locked.touched.devices = deviceIds ? { named: deviceIds, others: false } : MANY_DEVICES;
      const situation = situationOf(deployment, locked.batches);
      const { failed, rolled_back: rolledBack } = sumBreakdowns(locked.batches);
      const retryable = deviceIds ? failed + rolledBack : situation.failed;
      if (!isAllowed('retry', { ...situation, failed: retryable })) {
        throw notPossible('retry', locked);
      }
      const retried = deviceIds
        ? await this.#retryDevices(tx, deployment, deviceIds)
        : await this.#targets.retryFailed(tx, deployment.id);
      if (retried === 0) throw nothingToRetry(locked);

      const batches = await this.#steps.batchesOf(tx, deployment.id);
      deployment.status = stateAfter('retry', deployment.status);
      const failures = countFailures(figuresOf(deployment, batches));
      deployment.acceptedFailures = Math.min(deployment.acceptedFailures, failures);
      await this.#deployments.update(tx, deployment.id, {
        status: deployment.status,
        completedAt: null,
        // Time to be picked up counts anew.
        resumedAt: locked.now,
        acceptedFailures: deployment.acceptedFailures,
      });
      await this.#tell(tx, deployment, 'retried', actorOf(admin), { devices: retried });
      await this.#steps.takeNext(tx, deployment, afterCommit);
      return retried;
    });
  }

  /**
   * Asks a device to go back; it does so at its next poll, and its report changes the target. Answers
   * the version. Throws `not_found`, `invalid_state`, `previous_version_unknown`.
   */
  async requestRollback(
    admin: AdminIdentity,
    id: string,
    deviceId: string,
    previousVersion: string | null,
  ): Promise<string> {
    return this.#withLocked(id, admin.organizationId, async ({ tx, deployment, touched }) => {
      touched.devices = { named: [deviceId], others: false };
      const [target] = await this.#targets.lock(tx, [{ deploymentId: id, deviceId }]);
      if (!target) throw notFound('This device in this deployment');
      const version = rollbackVersion(target, previousVersion);
      await this.#targets.save(tx, [
        { ...target, rollbackVersion: version, rollbackRequestedBy: admin.userId },
      ]);
      await this.#tell(tx, deployment, 'rollback_requested', actorOf(admin), { version }, deviceId);
      return version;
    });
  }

  async #begin({ tx, deployment, afterCommit, now }: Locked, actor: Actor): Promise<void> {
    deployment.status = stateAfter('start', deployment.status);
    await this.#deployments.update(tx, deployment.id, {
      status: deployment.status,
      startedAt: now,
    });
    await this.#deployments.requestRelease(tx, deployment.id, 1, now);
    await this.#tell(tx, deployment, 'started', actor, {});
    await this.#steps.takeNext(tx, deployment, afterCommit);
  }

  async #retryDevices(
    tx: Transaction,
    deployment: Deployment,
    deviceIds: string[],
  ): Promise<number> {
    const targets = await this.#targets.lock(
      tx,
      deviceIds.map((deviceId) => ({ deploymentId: deployment.id, deviceId })),
    );
    const overtaken = new Set(await this.#targets.findOvertaken(tx, deployment.id, deviceIds));
    const retried = targets.filter(
      (target) =>
        (target.status === 'failed' || target.status === 'rolled_back') &&
        !overtaken.has(target.deviceId),
    );
    await this.#targets.save(tx, retried.map(nextAttempt));
    await this.#deployments.moveCounters(
      tx,
      retried.map((target) => ({
        deploymentId: target.deploymentId,
        position: target.position,
        from: target.status,
        to: 'pending',
        onRequest: target.rolledBackOnRequest ? -1 : 0,
      })),
    );
    return retried.length;
  }

  #act(
    action: DeploymentAction,
    admin: AdminIdentity,
    id: string,
    change: (locked: Locked) => Promise<void>,
  ): Promise<void> {
    return this.#withLocked(id, admin.organizationId, async (locked) => {
      const { deployment, batches } = locked;
      if (!isAllowed(action, situationOf(deployment, batches))) {
        throw notPossible(action, locked);
      }
      await change(locked);
    });
  }

  /** `organizationId` null: the caller is the system itself. */
  async #withLocked<T>(
    id: string,
    organizationId: string | null,
    change: (locked: Locked) => Promise<T>,
  ): Promise<T> {
    const done = await this.#work.run(async (tx) => {
      const [deployment] = await this.#deployments.lock(tx, [id]);
      if (
        !deployment ||
        (organizationId !== null && deployment.organizationId !== organizationId)
      ) {
        throw notFound('This deployment');
      }
      const batches = await this.#steps.batchesOf(tx, id);
      const afterCommit = new AfterCommit();
      const now = this.#clock.now();
      const touched: Locked['touched'] = { devices: NO_DEVICES };
      const result = await change({ tx, deployment, batches, afterCommit, now, touched });
      return { result, afterCommit, organizationId: deployment.organizationId, ...touched };
    });
    const { organizationId: owner, devices } = done;
    this.#feed.publish([{ deploymentId: id, organizationId: owner, devices }]);
    await done.afterCommit.run();
    return done.result;
  }

  async #tell(
    tx: Transaction,
    deployment: Deployment,
    type: EventType,
    actor: Actor,
    data: Record<string, unknown>,
    deviceId?: string,
  ): Promise<void> {
    await this.#events.append(tx, [
      {
        organizationId: deployment.organizationId,
        deploymentId: deployment.id,
        type,
        actor,
        data,
        ...(deviceId !== undefined && { deviceId }),
      },
    ]);
  }
}

function actorOf(admin: AdminIdentity): Actor {
  return { type: 'admin', id: admin.userId, name: admin.name };
}

function nextAttempt(target: Target): Target {
  return {
    ...target,
    status: 'pending',
    attempt: target.attempt + 1,
    progress: null,
    startedAt: null,
    completedAt: null,
    lastReportAt: null,
    errorMessage: null,
    timedOut: false,
    rollbackVersion: null,
    rollbackRequestedBy: null,
    rolledBackOnRequest: false,
  };
}

/** The version to go back to; throws when the target cannot or does not know where to. */
function rollbackVersion(target: Target, asked: string | null): string {
  if (['pending', 'skipped', 'rolled_back'].includes(target.status)) {
    throw new DomainError(
      'invalid_state',
      `The device is ${target.status} in this deployment, so there is nothing to roll back. ` +
        'A rollback is possible once the device has begun the update.',
      { current_status: target.status, allowed_actions: [] },
    );
  }
  const version = asked ?? target.previousVersion;
  if (version === null) {
    throw new DomainError(
      'previous_version_unknown',
      'The version before this deployment is not known. Name it as previous_version.',
    );
  }
  return version;
}

function notPossible(action: DeploymentAction, { deployment, batches }: Locked): DomainError {
  const possible = allowedActions(situationOf(deployment, batches));
  const hint =
    possible.length === 0
      ? 'Nothing more can be done with it.'
      : `Possible: ${possible.join(', ')}.`;
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}; ${action} is not possible now. ${hint}`,
    { current_status: deployment.status, allowed_actions: possible },
  );
}

function nothingToRetry({ deployment, batches }: Locked): DomainError {
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}, and none of the devices can be retried: they did not ` +
      'fail here, or they have completed a newer deployment since.',
    {
      current_status: deployment.status,
      allowed_actions: allowedActions(situationOf(deployment, batches)),
    },
  );
}

function percentageTooLow(percentage: number, released: number, total: number): DomainError {
  return new DomainError(
    'percentage_too_low',
    `${percentage} % of ${total} devices are ${shareOf(total, percentage)}, and ${released} are ` +
      'released already. Choose a higher percentage, up to 100.',
  );
}
