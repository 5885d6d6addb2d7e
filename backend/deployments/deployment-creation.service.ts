import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../audit/admin-caller.ts';
import type { Logger } from 'pino';
import type { EventRepository } from '../audit/event.ports.ts';
import type { PluginConfig } from '../config.ts';
import type { CreatedDeployment, DeploymentPreview } from '../contract/admin-api.ts';
import { isSameVersion } from '../contract/version.ts';
import { DomainError, invalidRequest } from '../kernel/errors.ts';
import { LIMITS } from '../kernel/time-limits.ts';
import type { UnitOfWork } from '../kernel/unit-of-work.ts';
import { NO_DEVICES, type ChangeFeed } from '../progress/change-feed.ts';
import { TOKENS } from '../tokens.ts';
import { MAX_BATCHES, planBatches } from './batch-plan.ts';
import { actorOf } from './deployment-lock.service.ts';
import type { DeploymentRepository } from './deployment.ports.ts';
import type { DeploymentDraft, DeploymentState } from './deployment.types.ts';
import { toSummary } from './deployment.views.ts';
import { requireSignedPackage } from './package-signature.ts';
import type { RolloutJobs } from './rollout-jobs.ts';
import type { MatchingGroup, TargetSelection } from './target.ports.ts';

/** From so many new targets on, the planner is told of them. */
const MANY_TARGETS = 1_000;

/** Planning and creating deployments: who would get it, in which batches; then all of it or nothing. */
@injectable()
export class DeploymentCreation {
  readonly #work: UnitOfWork;
  readonly #deployments: DeploymentRepository;
  readonly #selection: TargetSelection;
  readonly #events: EventRepository;
  readonly #jobs: RolloutJobs;
  readonly #feed: ChangeFeed;
  readonly #config: PluginConfig;
  readonly #logger: Logger;

  constructor(
    @inject(TOKENS.UnitOfWork) work: UnitOfWork,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.TargetSelection) selection: TargetSelection,
    @inject(TOKENS.EventRepository) events: EventRepository,
    @inject(TOKENS.RolloutJobs) jobs: RolloutJobs,
    @inject(TOKENS.ChangeFeed) feed: ChangeFeed,
    @inject(TOKENS.Config) config: PluginConfig,
    @inject(TOKENS.Logger) logger: Logger,
  ) {
    this.#work = work;
    this.#deployments = deployments;
    this.#selection = selection;
    this.#events = events;
    this.#jobs = jobs;
    this.#feed = feed;
    this.#config = config;
    this.#logger = logger;
  }

  /** What {@link create} would do now; creates nothing and accepts that nothing matches. */
  async preview(organizationId: string, draft: DeploymentDraft): Promise<DeploymentPreview> {
    const [passing, notComparable] = await Promise.all([
      this.#selection.countMatching(organizationId, draft.deviceFilters),
      this.#selection.countIncomparable(organizationId, draft.deviceFilters),
    ]);
    const upToDate = passing.filter(({ version }) => isSameVersion(version, draft.targetVersion));
    const groups = draft.skipUpToDate
      ? passing.filter((group) => !upToDate.includes(group))
      : passing;
    const total = sumOf(groups);
    return {
      matching_devices: total,
      up_to_date: draft.targetVersion === '' ? null : sumOf(upToDate),
      by_type: groupBy(groups, 'deviceType').map(([value, count]) => ({
        device_type: value,
        count,
      })),
      by_version: groupBy(groups, 'version').map(([value, count]) => ({ version: value, count })),
      not_comparable: notComparable,
      batches: total === 0 ? [] : this.#plan(draft, total),
    };
  }

  /** Throws `signature_refused`, `no_matching_devices`, `too_many_batches`, and `queue_unavailable` for scheduled ones. */
  async create(admin: AdminCaller, draft: DeploymentDraft): Promise<CreatedDeployment> {
    const { signature_keys: keys } = this.#config;
    if (draft.scheduledAt) await this.#jobs.assertAvailable();
    const id = randomUUID();
    const total = await this.#work.run(async (tx) => {
      requireFuture(draft.scheduledAt, tx.now);
      requireSignedPackage(draft, admin.organizationId, keys, tx.now);
      await this.#deployments.insert(tx, id, admin.organizationId, draft, admin.userId);
      const inserted = await this.#selection.insertMatching(
        tx,
        id,
        admin.organizationId,
        {
          filters: draft.deviceFilters,
          leaveOut: draft.skipUpToDate ? draft.targetVersion : null,
        },
        draft.strategy === 'canary',
      );
      if (inserted === 0) throw noMatchingDevices(draft);
      await this.#deployments.insertPlan(tx, id, inserted, this.#plan(draft, inserted));
      await this.#events.append(tx, [
        {
          organizationId: admin.organizationId,
          deploymentId: id,
          type: 'created',
          actor: actorOf(admin),
          data: { devices: inserted, target_version: draft.targetVersion },
        },
      ]);
      await this.#deployments.stampCreated(tx, id);
      return inserted;
    }, LIMITS.creation);
    const { organizationId } = admin;
    this.#feed.publish([{ deploymentId: id, organizationId, devices: NO_DEVICES }]);
    const trace = { deployment_id: id, request_id: admin.requestId };
    if (draft.scheduledAt) await this.#schedule(id, draft.scheduledAt, trace);
    if (total >= MANY_TARGETS) await this.#refreshStatistics(trace);
    const { deployment, batches } = (await this.#deployments.findState(
      organizationId,
      id,
    )) as DeploymentState;
    return { ...toSummary(deployment, batches), target_devices: total };
  }

  #plan(draft: DeploymentDraft, total: number) {
    const plan = planBatches(
      {
        strategy: draft.strategy,
        percentage: draft.rolloutPercentage,
        batchSize: draft.batchSize,
      },
      total,
    );
    if (plan.length > MAX_BATCHES) {
      throw new DomainError(
        'too_many_batches',
        `${total} devices in batches of ${draft.batchSize ?? 1} make ${plan.length} batches; ` +
          `at most ${MAX_BATCHES} are possible. Choose a batch size of ` +
          `${Math.ceil(total / MAX_BATCHES)} or more.`,
      );
    }
    return plan;
  }

  /** Nothing but speed hangs on it. */
  async #refreshStatistics(trace: object): Promise<void> {
    await this.#selection.refreshStatistics().catch((error: unknown) => {
      this.#logger.warn(
        { err: error, ...trace },
        'statistics of the targets could not be refreshed',
      );
    });
  }

  async #schedule(id: string, at: Date, trace: object): Promise<void> {
    await this.#jobs.startAt(id, at).catch((error: unknown) => {
      this.#logger.warn(
        { err: error, ...trace },
        'scheduled start could not be queued; the reconciler will make up for it',
      );
    });
  }
}

function sumOf(groups: MatchingGroup[]): number {
  return groups.reduce((sum, group) => sum + group.count, 0);
}

function groupBy(
  groups: MatchingGroup[],
  key: 'deviceType' | 'version',
): [string | null, number][] {
  const sums = new Map<string | null, number>();
  for (const group of groups) sums.set(group[key], (sums.get(group[key]) ?? 0) + group.count);
  return [...sums].sort((a, b) => b[1] - a[1] || String(a[0]).localeCompare(String(b[0])));
}

/** A start in the past would start at once, which nobody asked for who wrote a time. */
function requireFuture(scheduledAt: Date | null, now: Date): void {
  if (scheduledAt === null || scheduledAt > now) return;
  const message = `scheduled_at is in the past: it is ${now.toISOString()} here. Leave it out to start by hand.`;
  throw invalidRequest([{ path: 'scheduled_at', message }]);
}

function noMatchingDevices({ skipUpToDate, targetVersion }: DeploymentDraft): DomainError {
  return new DomainError(
    'no_matching_devices',
    (skipUpToDate
      ? `No device of the organization matches all of the filters and runs another version than ${targetVersion}; `
      : 'No device of the organization matches all of the filters; ') +
      'nothing was created. Widen the filters, or look at the preview to see what each one leaves.',
  );
}
