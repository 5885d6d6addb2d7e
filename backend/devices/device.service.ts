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
  type ExternalVersionChange,
  type ReportedProfile,
  DeviceRepository,
} from './device.ports.ts';
import { checksumFor } from './earlier-agent.ts';
import { LastPolls } from './last-poll.service.ts';
import { spreadPoll } from './poll-interval.ts';
import { decideReport, type ReportCall, type ReportOutcome } from './report-decision.ts';
import {
  decidePoll,
  isChangedExternally,
  type PollDecision,
} from '../deployments/rules/poll-decision.ts';

const MAX_POLLS_PER_STATEMENT = 1_000;
const MAX_REPORTS_PER_TRANSACTION = 500;
/** Two, so that a statement that gets no response does not hold up all polls. */
const MAX_POLL_STATEMENTS = 2;
/**
 * At the load of a million devices, 17 polls share a statement instead of three, which saves more than a quarter
 * of the processor time. No device notices a wait of some milliseconds in five minutes.
 */
const MIN_POLL_STATEMENT_INTERVAL_MS = 5;
/**
 * Deployments whose reports are written at the same time. A locked deployment holds up only its own reports, and most of
 * the connection pool is left to others.
 */
const MAX_REPORT_LANES = 3;

/** What a device reports with a poll, and the name of its HTTP client. */
type Poll = Pick<PollingDevice, 'version' | 'profile'> & { userAgent: string | undefined };

/** Writes caused by polls. They are rare, and must not slow down other polls. */
const SIDE_WRITES = { maxBatchSize: 100, maxInFlight: 1 };

/** Handles polls and reports. Calls that arrive together share one database round trip (docs/decisions/coalescing.md). */
@injectable()
export class DeviceService {
  readonly #lookUp: (polling: PollingDevice) => Promise<DeviceRecord>;
  readonly #recordIdle: (target: OfferedTarget) => Promise<void>;
  readonly #recordVersion: (change: ExternalVersionChange) => Promise<void>;
  readonly #recordProfile: (profile: ReportedProfile) => Promise<void>;
  readonly #report: (call: ReportCall) => Promise<StatusResponse>;

  constructor(
    @inject(DeviceRepository) private readonly devices: DeviceRepository,
    @inject(TargetTransitions) private readonly transitions: TargetTransitions,
    @inject(PluginConfig) private readonly config: PluginConfig,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(EventRepository) private readonly events: EventRepository,
    @inject(LastPolls) private readonly lastPolls: LastPolls,
    @inject(Logger) private readonly logger: Logger,
  ) {
    this.#lookUp = coalesce<PollingDevice, DeviceRecord>((polling) => this.#lookUpAll(polling), {
      maxBatchSize: MAX_POLLS_PER_STATEMENT,
      maxInFlight: MAX_POLL_STATEMENTS,
      minIntervalMs: MIN_POLL_STATEMENT_INTERVAL_MS,
      onBatch: (size) => telemetry.coalesced('polls', size),
    });
    this.#recordIdle = coalesce<OfferedTarget, void>(
      (targets) => this.#recordAllIdle(targets),
      SIDE_WRITES,
    );
    this.#recordVersion = coalesce<ExternalVersionChange, void>(
      (changes) => this.#recordVersions(changes),
      SIDE_WRITES,
    );
    this.#recordProfile = coalesce<ReportedProfile, void>(
      (profiles) => this.#recordProfiles(profiles),
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

  /**
   * Answers a poll (docs/contract.md, Device API).
   *
   * @param poll what the device reports; `null`: nothing
   */
  async checkUpdate(device: DeviceIdentity, poll: Poll): Promise<CheckUpdateResponse> {
    const { version, profile, userAgent } = poll;
    this.lastPolls.record(device);
    const { open, recorded, hasNewProfile } = await this.#lookUp({ ...device, version, profile });
    const own = open.filter((target) => target.organizationId === device.organizationId);
    if (recorded && version !== null && isChangedExternally(version, recorded.version, own)) {
      const change = { ...device, recorded: recorded.version, reported: version };
      await this.#asSideWrite(device, 'version', this.#recordVersion(change));
    }
    if (hasNewProfile && profile) {
      await this.#asSideWrite(device, 'profile', this.#recordProfile({ ...device, ...profile }));
    }
    const decision = await this.#decide(own);
    this.telemetry.polled(decision.kind);
    const pollAfterSeconds = spreadPoll(this.config.poll_interval_seconds, Math.random());
    switch (decision.kind) {
      case 'none':
        return { update_available: false, poll_after_seconds: pollAfterSeconds };
      case 'rollback':
        return {
          update_available: false,
          rollback: {
            deployment_id: decision.target.deploymentId,
            version: decision.version,
            attempt: decision.target.attempt,
          },
          poll_after_seconds: pollAfterSeconds,
        };
      case 'update':
        return toOffer(decision.target, userAgent, pollAfterSeconds);
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

  /** Waits for a write that the response does not need. If it fails, the next poll reports the same again. */
  async #asSideWrite(device: DeviceIdentity, what: string, write: Promise<void>): Promise<void> {
    await write.catch((err: unknown) => {
      this.logger.warn(
        { err, device_id: device.deviceId },
        `reported ${what} could not be recorded`,
      );
    });
  }

  async #lookUpAll(polling: readonly PollingDevice[]): Promise<DeviceRecord[]> {
    const once = new Map(polling.map((one) => [one.deviceId, one]));
    const records = await this.devices.lookUp([...once.values()]);
    return polling.map(
      ({ deviceId }) => records.get(deviceId) ?? { open: [], hasNewProfile: false },
    );
  }

  /** Decides what the device gets, after recording that an update that it had started was interrupted. */
  async #decide(
    open: OfferedTarget[],
  ): Promise<Extract<PollDecision<OfferedTarget>, { kind: 'none' | 'update' | 'rollback' }>> {
    const decision = decidePoll(open);
    if (decision.kind !== 'idle' && decision.kind !== 'held') return decision;
    try {
      await this.#recordIdle(decision.target);
    } catch (err) {
      const { deviceId, deploymentId } = decision.target;
      this.logger.warn(
        { err, device_id: deviceId, deployment_id: deploymentId },
        'idle device could not be recorded',
      );
      return { kind: 'none', begun: null };
    }
    if (decision.kind === 'held') return { kind: 'none', begun: null };
    return this.#decide(open.filter((target) => target !== decision.target));
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

  /** Also adds each change to the timeline of the newest deployment that finished on the device. */
  async #recordVersions(changes: readonly ExternalVersionChange[]): Promise<void[]> {
    await this.work.run(async (tx) => {
      const recorded = await this.devices.recordVersions(tx, distinct(changes));
      await this.events.append(tx, recorded.flatMap(versionEvent));
    }, LIMITS.reports);
    return changes.map(() => undefined);
  }

  async #recordProfiles(profiles: readonly ReportedProfile[]): Promise<void[]> {
    await this.work.run(
      (tx) => this.devices.recordProfiles(tx, distinct(profiles)),
      LIMITS.reports,
    );
    return profiles.map(() => undefined);
  }

  /** If PostgreSQL rejects the data of a report, halves the batch until that report fails alone. */
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

/** The last entry of each device. */
function distinct<Entry extends { deviceId: string }>(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((one) => [one.deviceId, one])).values()];
}

/** A device without an earlier recorded version, or without a deployment, gets no timeline entry. */
function versionEvent(change: ExternalVersionChange & { deploymentId: string | null }): NewEvent[] {
  const { organizationId, deploymentId, deviceId, recorded, reported } = change;
  if (deploymentId === null || recorded === null) return [];
  const owner = { id: deploymentId, organizationId };
  return [deviceEvents.versionChangedOutside(owner, deviceId, reported, recorded)];
}

function toOffer(
  target: OfferedTarget,
  userAgent: string | undefined,
  pollAfterSeconds: number,
): CheckUpdateResponse {
  return {
    update_available: true,
    deployment_id: target.deploymentId,
    target_version: target.targetVersion,
    update_package_url: target.updatePackageUrl,
    checksum: checksumFor(userAgent, target.checksum),
    release_notes: target.releaseNotes,
    attempt: target.attempt,
    ...(target.manifest !== null && { manifest: target.manifest }),
    ...(target.signature !== null && { signature: target.signature }),
    poll_after_seconds: pollAfterSeconds,
  };
}
