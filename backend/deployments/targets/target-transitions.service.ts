import { inject, injectable } from 'inversify';
import type { NewEvent } from '../../audit/event.ports.ts';
import type { Transaction, TransactionLimits } from '../../kernel/unit-of-work.ts';
import { counterMoves } from './counter-moves.ts';
import type { DeploymentTransaction } from '../transaction/deployment-transaction.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import { BatchRepository, DeploymentRepository } from '../model/deployment.ports.ts';
import type { Deployment, Target, TargetKey } from '../model/deployment.types.ts';
import { RolloutSteps } from '../transaction/rollout-steps.ts';
import { isSameProduct } from '../rules/products.ts';
import { superseded } from '../rules/target-changes.ts';
import { isFinished } from '../rules/target-reports.ts';
import { rolloutEvents } from '../rules/timeline-events.ts';
import { type InstalledVersion, DeviceVersions, TargetRepository } from '../model/target.ports.ts';

/** What happens to one target. */
export interface TargetDecision<Result> {
  /** The changed target; absent: nothing changes. */
  next?: Target;
  /** The version that the device runs now. */
  installedVersion?: string;
  /** What the version belongs to; absent: the device's main product. */
  component?: string;
  events?: NewEvent[];
  result: Result;
}

export interface TargetRequest<Result> {
  key: TargetKey;
  /**
   * Decides on the locked rows. Must be pure, because it runs again after a conflict. `target` or `deployment` is `null`
   * if it does not exist. `now` is the database's clock.
   */
  decide(target: Target | null, deployment: Deployment | null, now: Date): TargetDecision<Result>;
  /** The decision may complete the target, so targets that this would supersede must be locked, too. */
  mayComplete?: boolean;
}

/** A target before and after its change. */
interface Changed {
  before: Target;
  after: Target;
}

/**
 * Applies reports, idle polls and timeouts to single targets. Requests share one transaction, which locks the rows,
 * lets the rules decide, writes targets, counters, versions and timeline, skips superseded targets, and advances the
 * deployments: a deployment pauses as soon as its failure threshold is exceeded, and finishes with its last target
 * (docs/decisions/gate-in-the-report.md).
 */
@injectable()
export class TargetTransitions {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(DeviceVersions) private readonly versions: DeviceVersions,
    @inject(RolloutSteps) private readonly steps: RolloutSteps,
  ) {}

  /** Resolves after the commit, to the results in the order of the requests. `limits`: default none. */
  async apply<Result>(
    requests: TargetRequest<Result>[],
    limits?: TransactionLimits,
  ): Promise<Result[]> {
    if (requests.length === 0) return [];
    return this.#applyLocked(requests, [], limits);
  }

  /** Restarts the transaction while it finds superseded targets that were not locked in order. */
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
    // Locks must be taken in one order, so the targets that a completion would supersede are found before locking, and
    // again under the locks, because a concurrent retry may have made more targets pending.
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
    const locked = new Set(candidates.map(keyOf));
    const current = await this.targets.findSuperseded(tx, completing);
    if (current.some((key) => !locked.has(keyOf(key)))) {
      throw new MoreTargetsToLock([...candidates, ...current]);
    }
    const before = new Map(targets);

    const versions: InstalledVersion[] = [];
    const results = requests.map(({ key, decide }) => {
      const deployment = deployments.get(key.deploymentId) ?? null;
      const decision = decide(targets.get(keyOf(key)) ?? null, deployment, tx.now);
      if (decision.next) targets.set(keyOf(key), decision.next);
      if (decision.installedVersion !== undefined) {
        const onRequest = decision.next?.rolledBackOnRequest ?? false;
        versions.push({
          ...key,
          version: decision.installedVersion,
          component: decision.component ?? null,
          onRequest,
        });
      }
      transaction.record(...(decision.events ?? []));
      return decision.result;
    });
    transaction.record(...skipSuperseded(tx.now, targets, before, candidates, deployments));

    const changed = [...targets.entries()].flatMap(([id, after]) => {
      const previous = before.get(id);
      return previous && previous !== after ? [{ before: previous, after }] : [];
    });
    await this.#setPreviousVersions(tx, changed);
    await this.targets.save(
      tx,
      changed.map((change) => change.after),
    );
    await this.batches.moveCounters(
      tx,
      changed.flatMap(({ before, after }) => counterMoves(before, after)),
    );
    await this.versions.record(tx, lastVersions(versions));
    recordChanges(transaction, changed, deployments);
    const justFinished = changed.filter(hasJustFinished).map(({ after }) => after);
    const affected = new Set(justFinished.map(({ deploymentId }) => deploymentId));
    for (const id of [...affected].sort()) {
      await this.steps.advance(transaction, deployments.get(id) as Deployment);
    }
    transaction.targetsFinished(justFinished.map(({ status }) => status));
    return results;
  }

  async #lockDeployments(tx: Transaction, keys: TargetKey[]): Promise<Map<string, Deployment>> {
    const ids = [...new Set(keys.map((key) => key.deploymentId))].sort();
    const locked = await this.deployments.lock(tx, ids);
    return new Map(locked.map((deployment) => [deployment.id, deployment]));
  }

  /** Stores the version of devices that start an update; a later rollback restores it. */
  async #setPreviousVersions(tx: Transaction, changed: Changed[]): Promise<void> {
    const beginning = changed.filter(
      ({ before, after }) => before.status === 'pending' && after.status !== 'skipped',
    );
    if (beginning.length === 0) return;
    const versions = await this.versions.current(
      tx,
      beginning.map(({ after }) => after),
    );
    const current = new Map(versions.map((entry) => [keyOf(entry), entry.version]));
    for (const { after } of beginning) {
      after.previousVersion = current.get(keyOf(after)) ?? after.previousVersion;
    }
  }
}

/**
 * Skips the unfinished targets of devices that completed a newer deployment of the same product, whatever their status
 * (docs/contract.md, States). Changes `targets`, and returns the timeline entries.
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
      if (!isOlder(older, newer) || !isSameProduct(older, newer)) continue;
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

/** Thrown to abort a transaction that would have to lock targets out of order. */
class MoreTargetsToLock extends Error {
  readonly keys: TargetKey[];

  constructor(keys: TargetKey[]) {
    super('more targets must be locked');
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

/** The last reported version of each product on each device. */
function lastVersions(versions: InstalledVersion[]): InstalledVersion[] {
  const productOf = ({ deviceId, component }: InstalledVersion) =>
    JSON.stringify([deviceId, component]);
  return [...new Map(versions.map((entry) => [productOf(entry), entry])).values()];
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
