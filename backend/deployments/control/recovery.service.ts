import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { DomainError, notFound } from '../../kernel/errors.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import { MANY_DEVICES } from '../model/change-feed.ports.ts';
import { counterMoves } from '../targets/counter-moves.ts';
import {
  DeploymentTransactions,
  type LockedDeployment,
} from '../transaction/deployment-transactions.service.ts';
import {
  type DeploymentChange,
  BatchRepository,
  DeploymentRepository,
} from '../model/deployment.ports.ts';
import {
  sumBreakdowns,
  type Deployment,
  type Target,
  type GoneReason,
} from '../model/deployment.types.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { countFailures } from '../rules/batch-gate.ts';
import { allowedActions, isAllowed, stateAfter } from '../rules/deployment-states.ts';
import { actionContextOf, figuresOf } from '../rules/figures.ts';
import { actionNotPossible } from '../rules/action-not-possible.ts';
import { retried, rollbackRequested } from '../rules/target-changes.ts';
import { GONE_DESCRIPTIONS } from '../rules/target-reports.ts';
import { actionEvents, actorOf } from '../rules/timeline-events.ts';
import {
  RETRY_START,
  type NewerDeployment,
  type RetryCursor,
  TargetRepository,
} from '../model/target.ports.ts';

/** Targets that one transaction retries; it blocks reports and newer deployments meanwhile. */
const RETRIED_AT_ONCE = 5_000;

/** Retries failed targets and requests rollbacks of single devices. */
@injectable()
export class TargetRecovery {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
  ) {}

  /**
   * Starts a new attempt of failed targets, and of targets that rolled back without a request by an admin. With
   * `deviceIds`, retries only these targets, including those whose rollback an admin requested. Devices that have
   * completed a newer deployment are left out, because an older version is never installed over a newer one
   * (docs/contract.md, States). Returns the number of targets. In a large deployment, some are retried later by
   * {@link resumeRetry}; the number then includes targets that are left out there. Throws `not_found`, and
   * `invalid_state` if no target can be retried.
   */
  async retry(admin: AdminCaller, id: string, deviceIds: string[] | null): Promise<number> {
    await this.jobs.assertAvailable();
    // Lock newer deployments, too: otherwise this retry and a completion there could miss each other.
    return this.transactions.withLocked(
      id,
      admin,
      async (locked) => {
        const { tx, transaction, deployment, batches } = locked;
        transaction.changed(
          deployment,
          deviceIds ? { named: deviceIds, others: false } : MANY_DEVICES,
        );
        const situation = actionContextOf(deployment, batches);
        const { failed, rolled_back: rolledBack } = sumBreakdowns(batches);
        const retryable = deviceIds ? failed + rolledBack : situation.failed;
        if (!isAllowed('retry', { ...situation, failed: retryable })) {
          throw actionNotPossible('retry', deployment, batches);
        }
        const { retried, rest } = deviceIds
          ? { retried: await this.#retryDevices(tx, deployment, deviceIds), rest: 0 }
          : await this.#retryFailed(tx, deployment);
        if (retried === 0) throw nothingToRetry(locked);

        deployment.status = stateAfter('retry', deployment.status);
        if (rest > 0) deployment.retryFailedBefore = tx.now;
        const change = {
          status: deployment.status,
          completedAt: null,
          // The pickup timeout starts again.
          resumedAt: tx.now,
          retryFailedBefore: deployment.retryFailedBefore,
        };
        transaction.record(actionEvents.retried(deployment, actorOf(admin), retried + rest));
        if (deployment.retryFailedBefore === null) {
          await this.#finishRetry(locked, change);
        } else {
          await this.deployments.update(tx, id, change);
          transaction.enqueue({ kind: 'retry-failed', deploymentId: id });
        }
        return retried + rest;
      },
      { withNewer: true },
    );
  }

  /**
   * Retries the targets that {@link retry} left, in several transactions, so that reports are not blocked for long.
   * Until all are retried, the deployment does not advance, because the remaining targets still count as failed.
   */
  async resumeRetry(id: string): Promise<void> {
    for (let next: RetryCursor | null = RETRY_START; next;) {
      const from: RetryCursor = next;
      next = await this.transactions.withLocked(
        id,
        null,
        async (locked) => {
          const { tx, transaction, deployment } = locked;
          const before = deployment.retryFailedBefore;
          if (before === null) return null;
          transaction.changed(deployment, MANY_DEVICES);
          const { next: rest } = await this.targets.retryFailed(
            tx,
            id,
            before,
            from,
            RETRIED_AT_ONCE,
          );
          if (rest) return rest;
          deployment.retryFailedBefore = null;
          await this.#finishRetry(locked, { retryFailedBefore: null });
          return null;
        },
        { withNewer: true, limits: LIMITS.jobs },
      );
    }
  }

  /** Retries as many targets as one transaction may; `rest`: failed targets that remain, 0 if none remain. */
  async #retryFailed(
    tx: Transaction,
    deployment: Deployment,
  ): Promise<{ retried: number; rest: number }> {
    const { retried, next } = await this.targets.retryFailed(
      tx,
      deployment.id,
      tx.now,
      RETRY_START,
      RETRIED_AT_ONCE,
    );
    if (!next) return { retried, rest: 0 };
    return { retried, rest: await this.#countFailures(tx, deployment) };
  }

  /** Reduces the accepted failures to those that remain, and advances the rollout. */
  async #finishRetry(
    { tx, transaction, deployment }: LockedDeployment,
    change: DeploymentChange,
  ): Promise<void> {
    const failures = await this.#countFailures(tx, deployment);
    deployment.acceptedFailures = Math.min(deployment.acceptedFailures, failures);
    await this.deployments.update(tx, deployment.id, {
      ...change,
      acceptedFailures: deployment.acceptedFailures,
    });
    await this.steps.advance(transaction, deployment);
  }

  async #countFailures(tx: Transaction, deployment: Deployment): Promise<number> {
    const batches = await this.batches.list(tx, deployment.id);
    return countFailures(figuresOf(deployment, batches));
  }

  /**
   * Requests a rollback of one device. The device gets it at its next poll, and its report changes the target. Returns
   * the version to roll back to. Throws `not_found`, `invalid_state`, `previous_version_unknown`, and, without `force`,
   * `newer_version_installed` if the rollback would undo a newer deployment.
   */
  async requestRollback(
    admin: AdminCaller,
    id: string,
    deviceId: string,
    { previousVersion, force }: { previousVersion: string | null; force: boolean },
  ): Promise<string> {
    return this.transactions.withLocked(id, admin, async (locked) => {
      const { tx, transaction, deployment } = locked;
      transaction.changed(deployment, { named: [deviceId], others: false });
      const key = { deploymentId: id, deviceId };
      const [target] = await this.targets.lock(tx, [key]);
      if (!target) throw notFound('This device in this deployment');
      const gone = await this.targets.findGoneReason(tx, key);
      if (gone) throw deviceIsGone(target, gone);
      const version = rollbackVersion(target, previousVersion);
      const newer = force ? null : await this.targets.findNewer(tx, key);
      if (newer) throw wouldUndoNewer(newer, version);
      await this.targets.save(tx, [rollbackRequested(target, { version, by: admin.userId })]);
      transaction.record(
        actionEvents.rollbackRequested(deployment, actorOf(admin), deviceId, version),
      );
      return version;
    });
  }

  /**
   * Cancels a requested rollback that the device has not answered. An older agent does not support rollbacks, and would
   * get no update until the request is cancelled. Throws `not_found`, and `invalid_state` if no rollback is requested.
   */
  async cancelRollback(admin: AdminCaller, id: string, deviceId: string): Promise<void> {
    await this.transactions.withLocked(id, admin, async (locked) => {
      const { tx, transaction, deployment } = locked;
      transaction.changed(deployment, { named: [deviceId], others: false });
      const [target] = await this.targets.lock(tx, [{ deploymentId: id, deviceId }]);
      if (!target) throw notFound('This device in this deployment');
      const { rollbackVersion: version } = target;
      if (version === null) {
        throw new DomainError(
          'invalid_state',
          'No rollback of this device is requested. The timeline shows earlier rollbacks.',
          { current_status: target.status, allowed_actions: [] },
        );
      }
      await this.targets.save(tx, [rollbackRequested(target, null)]);
      transaction.record(
        actionEvents.rollbackCancelled(deployment, actorOf(admin), deviceId, version),
      );
    });
  }

  async #retryDevices(
    tx: Transaction,
    deployment: Deployment,
    deviceIds: string[],
  ): Promise<number> {
    const targets = await this.targets.lock(
      tx,
      deviceIds.map((deviceId) => ({ deploymentId: deployment.id, deviceId })),
    );
    const retryable = new Set(await this.targets.findRetryable(tx, deployment.id, deviceIds));
    const toRetry = targets.filter((target) => retryable.has(target.deviceId));
    await this.targets.archiveAttempts(tx, toRetry);
    await this.targets.save(tx, toRetry.map(retried));
    await this.batches.moveCounters(
      tx,
      toRetry.flatMap((target) => counterMoves(target, retried(target))),
    );
    return toRetry.length;
  }
}

function deviceIsGone({ status }: Target, reason: GoneReason): DomainError {
  return new DomainError(
    'invalid_state',
    `The device ${GONE_DESCRIPTIONS[reason]}, so it cannot be rolled back.`,
    { current_status: status, allowed_actions: [] },
  );
}

function wouldUndoNewer(newer: NewerDeployment, version: string): DomainError {
  return new DomainError(
    'newer_version_installed',
    `The device has completed a newer deployment: ${newer.name} (${newer.targetVersion}, ${newer.id}). ` +
      `A rollback to ${version} would undo it. Repeat the request with force to do it anyway.`,
  );
}

/** The version to roll back to. Throws if the target cannot be rolled back or the version is unknown. */
function rollbackVersion(target: Target, requested: string | null): string {
  if (['pending', 'skipped', 'rolled_back'].includes(target.status)) {
    throw new DomainError(
      'invalid_state',
      `The device is ${target.status} in this deployment, so there is nothing to roll back. ` +
        'A rollback is possible after the device has started the update.',
      { current_status: target.status, allowed_actions: [] },
    );
  }
  const version = requested ?? target.previousVersion;
  if (version === null) {
    throw new DomainError(
      'previous_version_unknown',
      'The version before this deployment is unknown. Send it as previous_version.',
    );
  }
  return version;
}

function nothingToRetry({ deployment, batches }: LockedDeployment): DomainError {
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}, and none of the devices can be retried: they did not ` +
      'fail here, have a requested rollback, are gone, or have completed a newer deployment.',
    {
      current_status: deployment.status,
      allowed_actions: allowedActions(actionContextOf(deployment, batches)),
    },
  );
}
