import { inject, injectable } from 'inversify';
import type { NewEvent } from '../../audit/event.ports.ts';
import type { Transaction, TransactionLimits } from '../../kernel/unit-of-work.ts';
import { counterMoves } from './counter-moves.ts';
import type { DeploymentTransaction } from '../transaction/deployment-transaction.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import { DeploymentRepository } from '../model/deployment.ports.ts';
import type { Deployment, Target, TargetKey } from '../model/deployment.types.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { superseded } from '../rules/target-changes.ts';
import { isFinished } from '../rules/target-reports.ts';
import { rolloutEvents } from '../rules/timeline-events.ts';
import { type InstalledVersion, DeviceVersions, TargetRepository } from '../model/target.ports.ts';

/** What a decision does to one target. */
export interface TargetDecision<Result> {
  /** The target after the decision; none: nothing changes. */
  next?: Target;
  /** The version the device runs from now on. */
  installedVersion?: string;
  events?: NewEvent[];
  result: Result;
}

export interface TargetRequest<Result> {
  key: TargetKey;
  /**
   * Decides on the locked rows; pure, since a conflict runs it again. Both are `null` when there is
   * no such target; `now` is the database's clock.
   */
  decide(target: Target | null, deployment: Deployment | null, now: Date): TargetDecision<Result>;
  /** The decision may complete the target; what it supersedes is locked, too. */
  mayComplete?: boolean;
}

/** Targets that changed, and what they were before. */
interface Changed {
  before: Target;
  after: Target;
}

/**
 * The one place where single targets change their state. Requests that arrive together share one
 * transaction; in it the rows are locked, the rules decide, targets, counters, versions and timeline
 * are written, superseded targets are skipped, and the deployment takes the step that follows: it
 * pauses at the failure threshold at once, and it ends with its last target.
 */
@injectable()
export class TargetTransitions {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(DeviceVersions) private readonly versions: DeviceVersions,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
  ) {}

  /** Answers in the order of the requests, after the commit. `limits`: default none. */
  async apply<Result>(
    requests: TargetRequest<Result>[],
    limits?: TransactionLimits,
  ): Promise<Result[]> {
    if (requests.length === 0) return [];
    return this.#applyLocked(requests, [], limits);
  }

  /** Begins anew while targets appear that a completion supersedes and that were not locked in order. */
  async #applyLocked<Result>(
    requests: TargetRequest<Result>[],
    expected: TargetKey[],
    limits: TransactionLimits | undefined,
  ): Promise<Result[]> {
    try {
      return await this.transactions.run(
        (transaction) => this.#applyIn(transaction, requests, expected),
        limits,
      );
    } catch (error) {
      if (!(error instanceof MoreTargetsToLock)) throw error;
      return this.#applyLocked(requests, error.keys, limits);
    }
  }

  async #applyIn<Result>(
    transaction: DeploymentTransaction,
    requests: TargetRequest<Result>[],
    expected: TargetKey[],
  ): Promise<Result[]> {
    const { tx } = transaction;
    const keys = requests.map((request) => request.key);
    // Locks are taken in one order everywhere, so what a completion could supersede is looked up
    // first, and once more under the locks: a retry that had them before has made waiting targets.
    const completing = requests.filter(({ mayComplete }) => mayComplete).map(({ key }) => key);
    const candidates = distinct([
      ...expected,
      ...(await this.targets.findSuperseded(tx, completing)),
    ]);
    const deployments = await this.#lockDeployments(tx, [...keys, ...candidates]);
    const targets = new Map(
      (await this.targets.lock(tx, [...keys, ...candidates])).map((target) => [
        keyOf(target),
        target,
      ]),
    );
    const known = new Set(candidates.map(keyOf));
    const appeared = await this.targets.findSuperseded(tx, completing);
    if (appeared.some((key) => !known.has(keyOf(key)))) {
      throw new MoreTargetsToLock([...candidates, ...appeared]);
    }
    const before = new Map(targets);

    const versions: InstalledVersion[] = [];
    const results = requests.map(({ key, decide }) => {
      const deployment = deployments.get(key.deploymentId) ?? null;
      const decision = decide(targets.get(keyOf(key)) ?? null, deployment, tx.now);
      if (decision.next) targets.set(keyOf(key), decision.next);
      if (decision.installedVersion !== undefined) {
        const onRequest = decision.next?.rolledBackOnRequest ?? false;
        versions.push({ ...key, version: decision.installedVersion, onRequest });
      }
      transaction.record(...(decision.events ?? []));
      return decision.result;
    });
    transaction.record(...skipSuperseded(tx.now, targets, before, candidates, deployments));

    const changed = [...targets.entries()].flatMap(([id, after]) => {
      const was = before.get(id);
      return was && was !== after ? [{ before: was, after }] : [];
    });
    await this.#setPreviousVersions(tx, changed);
    await this.targets.save(
      tx,
      changed.map((change) => change.after),
    );
    await this.deployments.moveCounters(
      tx,
      changed.flatMap(({ before, after }) => counterMoves(before, after)),
    );
    await this.versions.record(tx, lastVersions(versions));
    recordChanges(transaction, changed, deployments);
    const endedNow = changed.filter(hasJustFinished).map(({ after }) => after);
    const ended = new Set(endedNow.map(({ deploymentId }) => deploymentId));
    for (const id of [...ended].sort()) {
      await this.steps.advance(transaction, deployments.get(id) as Deployment);
    }
    transaction.targetsFinished(endedNow.map(({ status }) => status));
    return results;
  }

  async #lockDeployments(tx: Transaction, keys: TargetKey[]): Promise<Map<string, Deployment>> {
    const ids = [...new Set(keys.map((key) => key.deploymentId))].sort();
    const locked = await this.deployments.lock(tx, ids);
    return new Map(locked.map((deployment) => [deployment.id, deployment]));
  }

  /** The version a device had when it began is what a later rollback goes back to. */
  async #setPreviousVersions(tx: Transaction, changed: Changed[]): Promise<void> {
    const beginning = changed.filter(
      ({ before, after }) => before.status === 'pending' && after.status !== 'skipped',
    );
    if (beginning.length === 0) return;
    const current = await this.versions.current(
      tx,
      beginning.map(({ after }) => after.deviceId),
    );
    for (const { after } of beginning) {
      after.previousVersion = current.get(after.deviceId) ?? after.previousVersion;
    }
  }
}

/**
 * Finishing a new version must never be followed by an old one (docs/contract.md, States), whatever the device
 * was recorded to be doing with that.
 */
function skipSuperseded(
  now: Date,
  targets: Map<string, Target>,
  before: Map<string, Target>,
  candidates: TargetKey[],
  deployments: Map<string, Deployment>,
): NewEvent[] {
  const skipped = new Map<string, { older: Deployment; newer: Deployment; devices: number }>();
  for (const completed of [...targets.values()]) {
    if (completed.status !== 'completed') continue;
    if (before.get(keyOf(completed))?.status === 'completed') continue;
    const newer = deployments.get(completed.deploymentId) as Deployment;
    for (const key of candidates) {
      const older = deployments.get(key.deploymentId);
      const target = targets.get(keyOf(key));
      if (key.deviceId !== completed.deviceId || !older || !target || isFinished(target.status))
        continue;
      if (!isOlder(older, newer)) continue;
      targets.set(keyOf(key), superseded(target, newer, now));
      const pair = `${older.id} ${newer.id}`;
      const devices = (skipped.get(pair)?.devices ?? 0) + 1;
      skipped.set(pair, { older, newer, devices });
    }
  }
  return [...skipped.values()].map(({ older, newer, devices }) =>
    rolloutEvents.superseded(older, newer, devices),
  );
}

/** Thrown to leave a transaction that would have to lock out of order. */
class MoreTargetsToLock extends Error {
  readonly keys: TargetKey[];

  constructor(keys: TargetKey[]) {
    super('targets to be locked have appeared');
    this.keys = keys;
  }
}

function distinct(keys: TargetKey[]): TargetKey[] {
  return [...new Map(keys.map((key) => [keyOf(key), key])).values()];
}

function keyOf(key: TargetKey): string {
  return `${key.deploymentId} ${key.deviceId}`;
}

function isOlder(a: Deployment, b: Deployment): boolean {
  const difference = a.createdAt.getTime() - b.createdAt.getTime();
  return difference < 0 || (difference === 0 && a.id < b.id);
}

function hasJustFinished({ before, after }: Changed): boolean {
  return before.status !== after.status && isFinished(after.status);
}

/** When one device tells several versions at once, the last one holds. */
function lastVersions(versions: InstalledVersion[]): InstalledVersion[] {
  return [...new Map(versions.map((entry) => [entry.deviceId, entry])).values()];
}

function recordChanges(
  transaction: DeploymentTransaction,
  changed: Changed[],
  deployments: Map<string, Deployment>,
): void {
  const devices = new Map<string, string[]>();
  for (const { after } of changed) {
    const named = devices.get(after.deploymentId);
    if (named) named.push(after.deviceId);
    else devices.set(after.deploymentId, [after.deviceId]);
  }
  for (const [id, named] of devices) {
    transaction.changed(deployments.get(id) as Deployment, { named, others: false });
  }
}
