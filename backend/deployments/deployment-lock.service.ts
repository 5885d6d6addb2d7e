import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../audit/admin-caller.ts';
import type { EventRepository } from '../audit/event.ports.ts';
import type { EventType } from '../contract/admin-api.ts';
import type { DeploymentAction } from '../contract/states.ts';
import { DomainError, notFound } from '../kernel/errors.ts';
import type { Transaction, TransactionLimits, UnitOfWork } from '../kernel/unit-of-work.ts';
import { NO_DEVICES, type ChangeFeed, type ChangedDevices } from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import { AfterCommit } from './after-commit.ts';
import type { DeploymentRepository } from './deployment.ports.ts';
import { allowedActions, isAllowed } from './deployment.states.ts';
import type { Actor, Batch, Deployment } from './deployment.types.ts';
import { situationOf } from './deployment.views.ts';

/** A deployment that the transaction has locked, and what an action needs to know of it. */
export interface LockedDeployment {
  tx: Transaction;
  deployment: Deployment;
  batches: Batch[];
  afterCommit: AfterCommit;
  /** Devices whose targets the action changes, for those who watch. */
  touched: { devices: ChangedDevices };
}

/**
 * The frame of every action on a deployment: locks it, checks the state table, lets the action write
 * its change and its event, commits, and tells whoever watches. Of two racing requests the second
 * finds the new state and answers 409.
 */
@injectable()
export class DeploymentLock {
  readonly #work: UnitOfWork;
  readonly #deployments: DeploymentRepository;
  readonly #events: EventRepository;
  readonly #feed: ChangeFeed;

  constructor(
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(TOKENS.ChangeFeed) feed: ChangeFeed,
  ) {
    this.#work = work;
    this.#deployments = deployments;
    this.#events = events;
    this.#feed = feed;
  }

  /** Throws `not_found`, and `invalid_state` when the state does not allow the action. */
  act(
    action: DeploymentAction,
    admin: AdminCaller,
    id: string,
    change: (locked: LockedDeployment) => Promise<void>,
  ): Promise<void> {
    return this.hold(id, admin, async (locked) => {
      const { deployment, batches } = locked;
      if (!isAllowed(action, situationOf(deployment, batches))) throw notPossible(action, locked);
      await change(locked);
    });
  }

  /**
   * Runs `change` on the locked deployment, whatever its state. `caller` null: the system itself. `withNewer`:
   * newer deployments of the organization are locked, too. Throws `not_found`.
   */
  async hold<T>(
    id: string,
    caller: AdminCaller | null,
    change: (locked: LockedDeployment) => Promise<T>,
    { withNewer = false, limits }: { withNewer?: boolean; limits?: TransactionLimits } = {},
  ): Promise<T> {
    const done = await this.#work.run(async (tx) => {
      if (withNewer) {
        await this.#deployments.lockWithNewer(tx, id, caller?.organizationId ?? null);
      }
      const [deployment] = await this.#deployments.lock(tx, [id]);
      if (!deployment || (caller !== null && deployment.organizationId !== caller.organizationId)) {
        throw notFound('This deployment');
      }
      const batches = await this.#deployments.batchesOf(tx, id);
      const afterCommit = new AfterCommit(caller ? { request_id: caller.requestId } : {});
      const touched: LockedDeployment['touched'] = { devices: NO_DEVICES };
      const result = await change({ tx, deployment, batches, afterCommit, touched });
      return { result, afterCommit, organizationId: deployment.organizationId, ...touched };
    }, limits);
    const { organizationId: owner, devices } = done;
    this.#feed.publish([{ deploymentId: id, organizationId: owner, devices }]);
    await done.afterCommit.run();
    return done.result;
  }

  /** Writes what happened into the timeline. */
  async tell(
    { tx, deployment }: Pick<LockedDeployment, 'tx' | 'deployment'>,
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

export function actorOf(admin: AdminCaller): Actor {
  return { type: 'admin', id: admin.userId, name: admin.name, address: admin.address };
}

/** 409, naming the state and what it allows. */
export function notPossible(
  action: DeploymentAction,
  { deployment, batches }: LockedDeployment,
): DomainError {
  const possible = allowedActions(situationOf(deployment, batches));
  const list = possible.length > 0 ? ` Possible: ${possible.join(', ')}.` : '';
  return new DomainError(
    'invalid_state',
    `The deployment is ${deployment.status}; ${action} is not possible now. ${insteadOf(action, deployment)}${list}`,
    { current_status: deployment.status, allowed_actions: possible },
  );
}

/** What an admin who wanted that does instead. */
function insteadOf(action: DeploymentAction, { status, strategy }: Deployment): string {
  if (status === 'cancelled' || status === 'completed') {
    return action === 'retry' || action === 'expand' || action === 'start'
      ? `It stays ${status}: create a new deployment for the devices that are to get it (device_ids).`
      : 'It has ended.';
  }
  switch (action) {
    case 'start':
      return 'It has been started already.';
    case 'pause':
      if (status === 'pending') return 'Nothing has been sent yet: leave it, or cancel it.';
      return status === 'failed' ? 'It has ended.' : 'Nothing new is offered.';
    case 'resume':
      return status === 'pending' ? 'Start it.' : 'It is not paused.';
    case 'cancel':
      return 'It has ended.';
    case 'expand':
      if (strategy !== 'canary') return 'Only canary deployments are expanded.';
      if (status === 'paused') return 'Resume it first.';
      if (status === 'pending') return 'Start it first.';
      return 'Every device of it has been released.';
    case 'retry':
      return 'No device of it has failed.';
  }
}
