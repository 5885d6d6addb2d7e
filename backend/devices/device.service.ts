import { inject, injectable } from 'inversify';
import type { Logger } from 'pino';
import type { PluginConfig } from '../config.ts';
import { isDataRefused } from '../database/database-errors.ts';
import type { CheckUpdateResponse, StatusAnswer, StatusReport } from '../contract/device-api.ts';
import type { EventRepository, NewEvent } from '../audit/event.ports.ts';
import type { Deployment, Target } from '../deployments/deployment.types.ts';
import {
  TargetTransitions,
  type TargetDecision,
} from '../deployments/target-transition.service.ts';
import {
  isEnded,
  isWorking,
  judgeReport,
  shouldAbort,
  type TargetSituation,
} from '../deployments/target.states.ts';
import type { DeviceIdentity } from '../host-contract.ts';
import { coalesce, coalesceInLanes } from '../kernel/coalesce.ts';
import { LIMITS } from '../kernel/time-limits.ts';
import { DomainError, invalidRequest, notFound } from '../kernel/errors.ts';
import type { UnitOfWork } from '../kernel/unit-of-work.ts';
import type { Telemetry } from '../observability/telemetry.ports.ts';
import { TOKENS } from '../tokens.ts';
import type {
  AskingDevice,
  DeviceRepository,
  KnownDevice,
  OfferedTarget,
  VersionNews,
} from './device.ports.ts';
import { spreadPoll } from './poll-interval.ts';
import { choosePollAnswer, isChangedOutside, type PollAnswer } from './update-offer.ts';

const MAX_POLLS_PER_STATEMENT = 1_000;
const MAX_REPORTS_PER_TRANSACTION = 500;
/** One that gets no answer must not hold up the others. */
const POLL_STATEMENTS = 2;
/**
 * Deployments whose reports are written at the same time: a locked one holds up its own only, and all
 * together leave most of the pool to others.
 */
const REPORT_LANES = 3;

/** What a poll brings about besides its answer: seldom, and not at the cost of other polls. */
const ASIDE = { maxBatchSize: 100, maxInFlight: 1 };

type Outcome = StatusAnswer | Error;

interface ReportCall {
  device: DeviceIdentity;
  deploymentId: string;
  report: StatusReport;
}

/** What devices ask and tell. Calls that arrive together share one round trip to the database. */
@injectable()
export class DeviceService {
  readonly #devices: DeviceRepository;
  readonly #transitions: TargetTransitions;
  readonly #config: PluginConfig;
  readonly #telemetry: Telemetry;
  readonly #work: UnitOfWork;
  readonly #events: EventRepository;
  readonly #logger: Logger;
  readonly #lookUp: (asking: AskingDevice) => Promise<KnownDevice>;
  readonly #noteIdle: (target: OfferedTarget) => Promise<void>;
  readonly #takeVersion: (news: VersionNews) => Promise<void>;
  readonly #report: (call: ReportCall) => Promise<StatusAnswer>;

  constructor(
    @inject(TOKENS.DeviceRepository) devices: DeviceRepository,
    @inject(TargetTransitions) transitions: TargetTransitions,
    @inject(TOKENS.Config) config: PluginConfig,
    @inject(TOKENS.Telemetry) telemetry: Telemetry,
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(TOKENS.Logger) logger: Logger,
  ) {
    this.#work = work;
    this.#events = events;
    this.#logger = logger;
    this.#devices = devices;
    this.#transitions = transitions;
    this.#config = config;
    this.#telemetry = telemetry;
    this.#lookUp = coalesce<AskingDevice, KnownDevice>((asking) => this.#lookUpAll(asking), {
      maxBatchSize: MAX_POLLS_PER_STATEMENT,
      maxInFlight: POLL_STATEMENTS,
      onBatch: (size) => telemetry.coalesced('polls', size),
    });
    this.#noteIdle = coalesce<OfferedTarget, void>((targets) => this.#noteAllIdle(targets), ASIDE);
    this.#takeVersion = coalesce<VersionNews, void>((news) => this.#takeVersions(news), ASIDE);
    this.#report = coalesceInLanes<ReportCall, StatusAnswer>((calls) => this.#applyReports(calls), {
      laneOf: (call) => call.deploymentId,
      maxLanes: REPORT_LANES,
      maxBatchSize: MAX_REPORTS_PER_TRANSACTION,
      onBatch: (size) => telemetry.coalesced('reports', size),
    });
  }

  /** @param version what the device says it runs; `null`: it does not say */
  async checkUpdate(device: DeviceIdentity, version: string | null): Promise<CheckUpdateResponse> {
    const { open, recorded } = await this.#lookUp({ deviceId: device.deviceId, version });
    const own = open.filter((target) => target.organizationId === device.organizationId);
    if (recorded && version !== null && isChangedOutside(version, recorded.version, own)) {
      const news = { ...device, recorded: recorded.version, told: version };
      // The answer does not hang on it, and the next poll tells it again.
      await this.#takeVersion(news).catch((err: unknown) => {
        this.#logger.warn({ err, deviceId: device.deviceId }, 'version of a device not recorded');
      });
    }
    const answer = await this.#answerTo(own);
    this.#telemetry.polled(answer.kind);
    const pollAfterSeconds = spreadPoll(this.#config.poll_interval_seconds, Math.random());
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
  ): Promise<StatusAnswer> {
    return this.#telemetry.reporting(report.status, this.#report({ device, deploymentId, report }));
  }

  async #lookUpAll(asking: readonly AskingDevice[]): Promise<KnownDevice[]> {
    const once = new Map(asking.map((one) => [one.deviceId, one]));
    const known = await this.#devices.lookUp([...once.values()]);
    return asking.map(({ deviceId }) => known.get(deviceId) ?? { open: [] });
  }

  /** First what the poll tells of the update that the device had begun. */
  async #answerTo(
    open: OfferedTarget[],
  ): Promise<Extract<PollAnswer<OfferedTarget>, { kind: 'nothing' | 'update' | 'rollback' }>> {
    const answer = choosePollAnswer(open);
    if (answer.kind !== 'idle' && answer.kind !== 'held') return answer;
    try {
      await this.#noteIdle(answer.target);
    } catch (err) {
      const { deviceId, deploymentId } = answer.target;
      this.#logger.warn({ err, deviceId, deploymentId }, 'idle device not recorded');
      return { kind: 'nothing' };
    }
    if (answer.kind === 'held') return { kind: 'nothing' };
    return this.#answerTo(open.filter((target) => target !== answer.target));
  }

  async #noteAllIdle(targets: readonly OfferedTarget[]): Promise<void[]> {
    return this.#transitions.apply<void>(
      targets.map((key) => ({
        key,
        decide: (target, deployment, now) => {
          const next = target && deployment && whenIdle(target, deployment, now);
          return { ...(next && { next }), result: undefined };
        },
      })),
      LIMITS.reports,
    );
  }

  /** Tells each on the timeline of the newest deployment that the device has been through. */
  async #takeVersions(news: readonly VersionNews[]): Promise<void[]> {
    await this.#work.run(async (tx) => {
      const taken = await this.#devices.recordVersions(tx, distinct(news));
      await this.#events.append(tx, taken.flatMap(versionEvent));
    }, LIMITS.reports);
    return news.map(() => undefined);
  }

  /** A report that PostgreSQL refuses is found by halves, so that it fails alone. */
  async #applyReports(calls: readonly ReportCall[]): Promise<Outcome[]> {
    try {
      return await this.#transitions.apply(
        calls.map((call) => ({
          key: { deploymentId: call.deploymentId, deviceId: call.device.deviceId },
          mayComplete: call.report.status === 'completed',
          decide: (target, deployment, now) => decide(call, target, deployment, now),
        })),
        LIMITS.reports,
      );
    } catch (error) {
      if (!isDataRefused(error)) throw error;
      if (calls.length === 1) return [error as Error];
      const middle = Math.ceil(calls.length / 2);
      const first = await this.#applyReports(calls.slice(0, middle));
      return [...first, ...(await this.#applyReports(calls.slice(middle)))];
    }
  }
}

function decide(
  { device, report }: ReportCall,
  target: Target | null,
  deployment: Deployment | null,
  now: Date,
): TargetDecision<Outcome> {
  if (!target || deployment?.organizationId !== device.organizationId) {
    return { result: notFound('This device in this deployment') };
  }
  const situation = situationOf(target, deployment);
  const verdict = judgeReport(situation, {
    status: report.status,
    attempt: report.attempt,
    errorMessage: report.error_message,
  });
  const answer: StatusAnswer = {
    status: 'success',
    message: `Recorded: ${report.status}`,
    directive: shouldAbort(situation, report.status) ? 'abort' : 'continue',
  };
  switch (verdict.kind) {
    case 'apply':
      return {
        result: answer,
        ...record(target, deployment, report, verdict.status, now),
      };
    case 'repeat':
      return isWorking(target.status)
        ? { result: answer, next: signOfLife(target, report, now) }
        : { result: answer };
    case 'rollback_failed':
      return { result: answer, ...rollbackFailed(target, deployment, report) };
    case 'future_attempt':
      return {
        result: invalidRequest([
          { path: 'attempt', message: `the device is at attempt ${target.attempt}` },
        ]),
      };
    default:
      return { result: rejected(verdict.kind, target, report) };
  }
}

function record(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
  status: Exclude<Target['status'], 'pending'>,
  now: Date,
): Pick<TargetDecision<Outcome>, 'next' | 'installedVersion' | 'events'> {
  const ended = isEnded(status);
  const onRequest = status === 'rolled_back' && target.rollbackVersion !== null;
  // The update had finished before: it lasted until then, and why it failed is still what one wants to know.
  const undone = onRequest && isEnded(target.status);
  const next: Target = {
    ...target,
    status,
    progress: ended ? null : (report.progress ?? null),
    startedAt: target.startedAt ?? now,
    completedAt: ended ? now : null,
    lastReportAt: now,
    errorMessage: report.error_message ?? (undone ? target.errorMessage : null),
    updateEndedAt: undone ? target.completedAt : null,
    timedOut: false,
    skipReason: status === 'skipped' ? 'aborted' : null,
    rolledBackOnRequest: onRequest,
    ...(status === 'rolled_back' && { rollbackVersion: null, rollbackRequestedBy: null }),
  };
  const installedVersion = versionAfter(target, deployment, report, status);
  return {
    next,
    ...(installedVersion !== null && { installedVersion }),
    events: endEvents(next, deployment, installedVersion),
  };
}

/** A device asks that has begun an update; `null`: that changes nothing. */
function whenIdle(target: Target, deployment: Deployment, now: Date): Target | null {
  if (!isWorking(target.status)) return null;
  switch (deployment.status) {
    case 'cancelled': // a real end may still follow
      return {
        ...target,
        status: 'skipped',
        progress: null,
        completedAt: now,
        skipReason: 'aborted',
      };
    case 'paused': // it must not time out while it is us who hold it up
      return { ...target, lastReportAt: now };
    default:
      return null;
  }
}

function distinct(news: readonly VersionNews[]): VersionNews[] {
  return [...new Map(news.map((one) => [one.deviceId, one])).values()];
}

/** That a version is known at last is no change, and without a deployment there is no timeline. */
function versionEvent(news: VersionNews & { deploymentId: string | null }): NewEvent[] {
  const { organizationId, deploymentId, deviceId, recorded, told } = news;
  if (deploymentId === null || recorded === null) return [];
  return [
    {
      organizationId,
      deploymentId,
      type: 'version_changed_outside',
      actor: { type: 'device', id: deviceId, name: null },
      deviceId,
      data: { version: told, recorded_version: recorded },
    },
  ];
}

function signOfLife(target: Target, report: StatusReport, now: Date): Target {
  return {
    ...target,
    lastReportAt: now,
    progress: report.progress ?? target.progress,
  };
}

function situationOf(target: Target, deployment: Deployment): TargetSituation {
  return {
    status: target.status,
    attempt: target.attempt,
    timedOut: target.timedOut,
    skipReason: target.skipReason,
    released: target.position < deployment.releasedDevices,
    rollbackRequested: target.rollbackVersion !== null,
    errorMessage: target.errorMessage,
    deploymentStatus: deployment.status,
  };
}

/** What the device runs after this report, when the report tells. */
function versionAfter(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
  status: Target['status'],
): string | null {
  if (status === 'completed') return deployment.targetVersion;
  if (status !== 'rolled_back') return null;
  return report.installed_version ?? target.rollbackVersion ?? target.previousVersion;
}

/** The timeline names devices that did not make it; a million completions would drown it. */
function endEvents(target: Target, deployment: Deployment, version: string | null): NewEvent[] {
  if (target.status !== 'failed' && target.status !== 'rolled_back') return [];
  return [
    {
      organizationId: deployment.organizationId,
      deploymentId: deployment.id,
      type: target.status === 'failed' ? 'device_failed' : 'device_rolled_back',
      actor: { type: 'device', id: target.deviceId, name: null },
      deviceId: target.deviceId,
      data: {
        attempt: target.attempt,
        error_message: target.errorMessage,
        ...(version !== null && { version }),
        ...(target.status === 'rolled_back' && { on_request: target.rolledBackOnRequest }),
      },
    },
  ];
}

/** Between why a rollback failed and what had been wrong before. */
const BEFORE_THAT = '; before that: ';

function rollbackFailed(
  target: Target,
  deployment: Deployment,
  report: StatusReport,
): Pick<TargetDecision<Outcome>, 'next' | 'events'> {
  const reason = report.error_message ?? 'the device gave no reason';
  const first = target.errorMessage?.split(BEFORE_THAT).at(-1);
  const before = first === undefined ? '' : `${BEFORE_THAT}${first}`;
  return {
    next: {
      ...target,
      rollbackVersion: null,
      rollbackRequestedBy: null,
      errorMessage: `rollback failed: ${reason}${before}`,
    },
    events: [
      {
        organizationId: deployment.organizationId,
        deploymentId: deployment.id,
        type: 'rollback_failed',
        actor: { type: 'device', id: target.deviceId, name: null },
        deviceId: target.deviceId,
        data: { version: target.rollbackVersion, error_message: reason },
      },
    ],
  };
}

function rejected(
  kind: 'stale_attempt' | 'not_released' | 'stale_status',
  target: Target,
  report: StatusReport,
): DomainError {
  switch (kind) {
    case 'stale_attempt':
      return new DomainError(
        'stale_attempt',
        `The report is for attempt ${report.attempt}, and attempt ${target.attempt} has begun. ` +
          'Ask for updates again.',
      );
    case 'not_released':
      return new DomainError(
        'invalid_state',
        'This update has not been released to the device. Ask for updates first.',
        { current_status: target.status, allowed_actions: [] },
      );
    case 'stale_status':
      return new DomainError(
        'stale_status',
        `The device is recorded as ${target.status}` +
          `${target.errorMessage ? ` (${target.errorMessage})` : ''}; ` +
          `${report.status} does not follow from that.`,
        { current_status: target.status },
      );
  }
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
