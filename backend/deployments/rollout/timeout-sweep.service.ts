import { inject, injectable } from 'inversify';
import { Logger } from '../../kernel/logger.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import { UnitOfWork } from '../../kernel/unit-of-work.ts';
import { IdempotencyKeys } from '../model/deployment.ports.ts';
import type { Deployment, GoneReason, Target, TargetKey } from '../model/deployment.types.ts';
import {
  DEVICE_TABLES,
  type DeviceTable,
  type SweepTarget,
  SweepTargets,
} from '../model/target.ports.ts';
import { deviceGone, notPickedUp, timedOut, type TargetChange } from '../rules/target-changes.ts';
import { TargetTransitions, type TargetRequest } from '../targets/target-transitions.service.ts';

/** Targets per transaction. */
const CHUNK = 1_000;
/** Open targets, or rows of devices, per scan for gone devices; and scans of targets per sweep. */
const SCAN_SIZE = 20_000;
const SCANS_PER_SWEEP = 5;

/** The timeout sweep, which runs periodically. It may run twice, or in two processes at the same time. */
@injectable()
export class TimeoutSweep {
  /** Where the scan for gone devices continues; `null`: at the beginning. */
  #scanPosition: TargetKey | null = null;
  /** The same for the scans of tables with a row per device. */
  readonly #tablePositions = new Map<DeviceTable, string | null>();

  constructor(
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(SweepTargets) private readonly targets: SweepTargets,
    @inject(TargetTransitions) private readonly transitions: TargetTransitions,
    @inject(IdempotencyKeys) private readonly keys: IdempotencyKeys,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /**
   * Finishes targets whose device is gone (docs/contract.md, States), has stopped reporting, or has not polled (there,
   * Strategies). A gone device is skipped, even if it has timed out as well.
   */
  async run(): Promise<void> {
    await this.#deleteExpiredKeys();
    await this.#sweepGone();
    await this.#deleteRowsOfRemoved();
    await this.#sweep(() => this.targets.findOverdue(CHUNK), decideBy(timedOut));
    await this.#sweep(() => this.targets.findNotPickedUp(CHUNK), decideBy(notPickedUp));
  }

  /** Deletes expired idempotency keys. */
  async #deleteExpiredKeys(): Promise<void> {
    await this.work.run((tx) => this.keys.deleteExpired(tx, CHUNK), LIMITS.jobs);
  }

  /** Each sweep scans a part of all open targets; in the largest fleets a full round takes some minutes. */
  async #sweepGone(): Promise<void> {
    for (let steps = 0; steps < SCANS_PER_SWEEP; steps += 1) {
      const { targets: found, next } = await this.targets.findGone(this.#scanPosition, SCAN_SIZE);
      for (let from = 0; from < found.length; from += CHUNK) {
        const requests = found.slice(from, from + CHUNK).map(({ key, goneReason }) => ({
          key,
          decide: skipGone(goneReason),
        }));
        await this.#finish(requests);
      }
      this.#scanPosition = next;
      if (next === null) return;
    }
  }

  /** Deletes what is stored about removed devices, a part of all devices with each sweep. */
  async #deleteRowsOfRemoved(): Promise<void> {
    for (const table of DEVICE_TABLES) {
      const from = this.#tablePositions.get(table) ?? null;
      const next = await this.work.run(
        (tx) => this.targets.deleteRowsOfRemoved(tx, table, from, SCAN_SIZE),
        LIMITS.jobs,
      );
      this.#tablePositions.set(table, next);
    }
  }

  /** @param late decides about targets whose device exists */
  async #sweep(find: () => Promise<SweepTarget[]>, late: Decide): Promise<void> {
    for (let found = CHUNK; found === CHUNK;) {
      const targets = await find();
      found = targets.length;
      const requests = targets.map(({ key, goneReason }) => ({
        key,
        decide: goneReason ? skipGone(goneReason) : late,
      }));
      // Targets of a locked deployment would be found again at once; leave them for the next sweep.
      if (!(await this.#finish(requests))) return;
    }
  }

  /**
   * Applies requests, one transaction per deployment, so that one that is locked or fails does not hold up the others.
   * Resolves to whether all succeeded.
   */
  async #finish(all: TargetRequest<boolean>[]): Promise<boolean> {
    let allFinished = true;
    for (const deploymentId of new Set(all.map(({ key }) => key.deploymentId))) {
      const requests = all.filter(({ key }) => key.deploymentId === deploymentId);
      try {
        await this.transitions.apply(requests, LIMITS.jobs);
      } catch (error) {
        allFinished = false;
        this.logger.warn(
          { err: error, deployment_id: deploymentId },
          'targets could not be finished; retried at the next sweep',
        );
      }
    }
    return allFinished;
  }
}

type Decide = TargetRequest<boolean>['decide'];

/** Turns a rule into a decision. `null` from the rule, or no such target: nothing changes. */
function decideBy(
  rule: (target: Target, deployment: Deployment, now: Date) => TargetChange | null,
): Decide {
  return (target, deployment, now) => {
    const change = target && deployment && rule(target, deployment, now);
    return change ? { ...change, result: true } : { result: false };
  };
}

const skipGone = (reason: GoneReason): Decide =>
  decideBy((target, deployment, now) => deviceGone(target, deployment, now, reason));
