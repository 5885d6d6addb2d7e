import { inject, injectable } from 'inversify';
import { Logger } from '../kernel/logger.ts';
import { PluginConfig } from '../config.ts';
import { isDataRejected } from '../database/database-errors.ts';
import type { CheckUpdateResponse, StatusResponse, StatusReport } from '../contract/device-api.ts';
import { type NewEvent, EventRepository } from '../audit/event.ports.ts';
import { deviceIdle } from '../deployments/rules/target-changes.ts';
import { deviceEvents } from '../deployments/rules/timeline-events.ts';
import { TargetTransitions } from '../deployments/targets/target-transitions.service.ts';
import type { DeviceIdentity } from '../host-contract.ts';
import { coalesce, coalesceInLanes } from '../kernel/coalesce.ts';
import { LIMITS } from '../kernel/time-limits.ts';
import { UnitOfWork } from '../kernel/unit-of-work.ts';
import { Telemetry } from '../observability/telemetry.ports.ts';
import {
  type PollingDevice,
  type DeviceRecord,
  type OfferedTarget,
  type VersionChange,
  DeviceRepository,
} from './device.ports.ts';
import { spreadPoll } from './poll-interval.ts';
import { decideReport, type ReportCall, type ReportOutcome } from './report-decision.ts';
import { decidePoll, isChangedExternally, type PollDecision } from './poll-decision.ts';

const MAX_POLLS_PER_STATEMENT = 1_000;
const MAX_REPORTS_PER_TRANSACTION = 500;
/** One that gets no answer must not hold up the others. */
const MAX_POLL_STATEMENTS = 2;
/**
 * Deployments whose reports are written at the same time: a locked one holds up its own only, and all
 * together leave most of the pool to others.
 */
const MAX_REPORT_LANES = 3;

/** What a poll brings about besides its answer: seldom, and not at the cost of other polls. */
const SIDE_WRITES = { maxBatchSize: 100, maxInFlight: 1 };

/** What devices ask and tell. Calls that arrive together share one round trip to the database. */
@injectable()
export class DeviceService {
  readonly #lookUp: (asking: PollingDevice) => Promise<DeviceRecord>;
  readonly #recordIdle: (target: OfferedTarget) => Promise<void>;
  readonly #recordVersion: (change: VersionChange) => Promise<void>;
  readonly #report: (call: ReportCall) => Promise<StatusResponse>;

  constructor(
    @inject(DeviceRepository) private readonly devices: DeviceRepository,
    @inject(TargetTransitions) private readonly transitions: TargetTransitions,
    @inject(PluginConfig) private readonly config: PluginConfig,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(EventRepository) private readonly events: EventRepository,
    @inject(Logger) private readonly logger: Logger,
  ) {
    this.#lookUp = coalesce<PollingDevice, DeviceRecord>((asking) => this.#lookUpAll(asking), {
      maxBatchSize: MAX_POLLS_PER_STATEMENT,
      maxInFlight: MAX_POLL_STATEMENTS,
      onBatch: (size) => telemetry.coalesced('polls', size),
    });
    this.#recordIdle = coalesce<OfferedTarget, void>(
      (targets) => this.#recordAllIdle(targets),
      SIDE_WRITES,
    );
    this.#recordVersion = coalesce<VersionChange, void>(
      (changes) => this.#recordVersions(changes),
      SIDE_WRITES,
    );
    this.#report = coalesceInLanes<ReportCall, StatusResponse>(
      (calls) => this.#applyReports(calls),
      {
        laneOf: (call) => call.deploymentId,
        maxLanes: MAX_REPORT_LANES,
        maxBatchSize: MAX_REPORTS_PER_TRANSACTION,
        onBatch: (size) => telemetry.coalesced('reports', size),
      },
    );
  }

  /** @param version what the device says it runs; `null`: it does not say */
  async checkUpdate(device: DeviceIdentity, version: string | null): Promise<CheckUpdateResponse> {
    const { open, recorded } = await this.#lookUp({ deviceId: device.deviceId, version });
    const own = open.filter((target) => target.organizationId === device.organizationId);
    if (recorded && version !== null && isChangedExternally(version, recorded.version, own)) {
      const change = { ...device, recorded: recorded.version, reported: version };
      // The answer does not hang on it, and the next poll tells it again.
      await this.#recordVersion(change).catch((err: unknown) => {
        this.logger.warn({ err, deviceId: device.deviceId }, 'version of a device not recorded');
      });
    }
    const answer = await this.#decide(own);
    this.telemetry.polled(answer.kind);
    const pollAfterSeconds = spreadPoll(this.config.poll_interval_seconds, Math.random());
    switch (answer.kind) {
      case 'nothing':
        return { update_available: false, poll_after_seconds: pollAfterSeconds };
      case 'rollback':
        return {
          update_available: false,
          rollback: {
            deployment_id: answer.target.deploymentId,
            version: answer.version,
            attempt: answer.target.attempt,
          },
          poll_after_seconds: pollAfterSeconds,
        };
      case 'update':
        return toOffer(answer.target, pollAfterSeconds);
    }
  }

  /**
   * Resolves when the report is committed. Throws `not_found`, `stale_status`, `stale_attempt`,
   * `invalid_state`, `invalid_request`.
   */
  report(
    device: DeviceIdentity,
    deploymentId: string,
    report: StatusReport,
  ): Promise<StatusResponse> {
    return this.telemetry.trackReport(
      report.status,
      this.#report({ device, deploymentId, report }),
    );
  }

  async #lookUpAll(asking: readonly PollingDevice[]): Promise<DeviceRecord[]> {
    const once = new Map(asking.map((one) => [one.deviceId, one]));
    const known = await this.devices.lookUp([...once.values()]);
    return asking.map(({ deviceId }) => known.get(deviceId) ?? { open: [] });
  }

  /** First what the poll tells of the update that the device had begun. */
  async #decide(
    open: OfferedTarget[],
  ): Promise<Extract<PollDecision<OfferedTarget>, { kind: 'nothing' | 'update' | 'rollback' }>> {
    const answer = decidePoll(open);
    if (answer.kind !== 'idle' && answer.kind !== 'held') return answer;
    try {
      await this.#recordIdle(answer.target);
    } catch (err) {
      const { deviceId, deploymentId } = answer.target;
      this.logger.warn({ err, deviceId, deploymentId }, 'idle device not recorded');
      return { kind: 'nothing' };
    }
    if (answer.kind === 'held') return { kind: 'nothing' };
    return this.#decide(open.filter((target) => target !== answer.target));
  }

  async #recordAllIdle(targets: readonly OfferedTarget[]): Promise<void[]> {
    return this.transitions.apply<void>(
      targets.map((key) => ({
        key,
        decide: (target, deployment, now) => {
          const next = target && deployment && deviceIdle(target, deployment, now);
          return { ...(next && { next }), result: undefined };
        },
      })),
      LIMITS.reports,
    );
  }

  /** Tells each on the timeline of the newest deployment that the device has been through. */
  async #recordVersions(changes: readonly VersionChange[]): Promise<void[]> {
    await this.work.run(async (tx) => {
      const recorded = await this.devices.recordVersions(tx, distinct(changes));
      await this.events.append(tx, recorded.flatMap(versionEvent));
    }, LIMITS.reports);
    return changes.map(() => undefined);
  }

  /** A report that PostgreSQL refuses is found by halves, so that it fails alone. */
  async #applyReports(calls: readonly ReportCall[]): Promise<ReportOutcome[]> {
    try {
      return await this.transitions.apply(
        calls.map((call) => ({
          key: { deploymentId: call.deploymentId, deviceId: call.device.deviceId },
          mayComplete: call.report.status === 'completed',
          decide: (target, deployment, now) => decideReport(call, target, deployment, now),
        })),
        LIMITS.reports,
      );
    } catch (error) {
      if (!isDataRejected(error)) throw error;
      if (calls.length === 1) return [error as Error];
      const middle = Math.ceil(calls.length / 2);
      const first = await this.#applyReports(calls.slice(0, middle));
      return [...first, ...(await this.#applyReports(calls.slice(middle)))];
    }
  }
}

function distinct(changes: readonly VersionChange[]): VersionChange[] {
  return [...new Map(changes.map((one) => [one.deviceId, one])).values()];
}

/** That a version is known at last is no change, and without a deployment there is no timeline. */
function versionEvent(change: VersionChange & { deploymentId: string | null }): NewEvent[] {
  const { organizationId, deploymentId, deviceId, recorded, reported } = change;
  if (deploymentId === null || recorded === null) return [];
  const owner = { id: deploymentId, organizationId };
  return [deviceEvents.versionChangedOutside(owner, deviceId, reported, recorded)];
}

function toOffer(target: OfferedTarget, pollAfterSeconds: number): CheckUpdateResponse {
  return {
    update_available: true,
    deployment_id: target.deploymentId,
    target_version: target.targetVersion,
    update_package_url: target.updatePackageUrl,
    checksum: target.checksum,
    release_notes: target.releaseNotes,
    attempt: target.attempt,
    ...(target.manifest !== null && { manifest: target.manifest }),
    ...(target.signature !== null && { signature: target.signature }),
    poll_after_seconds: pollAfterSeconds,
  };
}
