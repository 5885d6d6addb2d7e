import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { Logger } from '../../kernel/logger.ts';
import { PluginConfig } from '../../config.ts';
import type {
  BatchPlanEntry,
  CreatedDeployment,
  DeploymentPreview,
} from '../../contract/admin-api.ts';
import { isSameVersion } from '../../contract/version.ts';
import { DomainError, invalidRequest } from '../../kernel/errors.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import type { DeploymentTransaction } from '../transaction/deployment-transaction.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import {
  type StoredResponse,
  type IdempotentRequest,
  BatchRepository,
  DeploymentRepository,
  IdempotencyKeys,
} from '../model/deployment.ports.ts';
import type { CanaryKinds, DeploymentDraft, DeploymentState } from '../model/deployment.types.ts';
import { toForecast, toSummary } from '../reading/deployment.views.ts';
import { ForecastContexts } from '../reading/forecast-context.service.ts';
import { requireSignedPackage } from '../../packages/package-signature.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { MAX_BATCHES, planBatches } from '../rules/batch-plan.ts';
import { coverageOf } from '../rules/canary-coverage.ts';
import { forecastOfDraft, type ForecastContext } from '../rules/forecast-input.ts';
import { byType, byVersion, sumOf } from '../rules/device-groups.ts';
import { actionEvents, actorOf } from '../rules/timeline-events.ts';
import type { DeviceSelection } from '../../targeting/matching-devices.sql.ts';
import {
  filterGroups,
  isIncomparable,
  passesVersionFilter,
} from '../../targeting/version-filter.ts';
import { TargetSelection } from '../model/target.ports.ts';

/** From this number of new targets on, the statistics of the table are refreshed. */
const MANY_TARGETS = 1_000;

/** Previews and creates deployments. */
@injectable()
export class DeploymentCreation {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(BatchRepository) private readonly batches: BatchRepository,
    @inject(TargetSelection) private readonly selection: TargetSelection,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(PluginConfig) private readonly config: PluginConfig,
    @inject(IdempotencyKeys) private readonly keys: IdempotencyKeys,
    @inject(ForecastContexts) private readonly forecasts: ForecastContexts,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** What {@link create} would do now. Creates nothing; no matching device is not an error here. */
  async preview(organizationId: string, draft: DeploymentDraft): Promise<DeploymentPreview> {
    const { deviceFilters: filters, packageName } = draft;
    const [candidates, kinds] = await Promise.all([
      // One query for all figures: there are few versions, so they are compared here.
      this.selection.countDeviceGroups(organizationId, { filters, packageName }),
      this.#canaryKinds(organizationId, draft),
    ]);
    const passing = candidates.filter(({ version }) => passesVersionFilter(version, filters));
    const notComparable = candidates.filter(({ version }) => isIncomparable(version, filters));
    const upToDate = passing.filter(({ installed }) =>
      isSameVersion(installed, draft.targetVersion),
    );
    const groups = filterGroups(
      candidates,
      filters,
      draft.skipUpToDate ? draft.targetVersion : null,
    );
    const total = sumOf(groups);
    const plan = total === 0 ? [] : this.#plan(draft, total);
    return {
      matching_devices: total,
      up_to_date: draft.targetVersion === '' ? null : sumOf(upToDate),
      by_type: byType(groups),
      by_version: byVersion(groups, 'installed'),
      not_comparable: byVersion(notComparable, 'version'),
      batches: plan,
      forecast: plan.length === 0 ? null : await this.#forecast(organizationId, draft, plan),
      canary: kinds && plan[0] ? coverageOf(kinds, plan[0].size) : null,
    };
  }

  /** `null`: the deployment is not a canary. */
  async #canaryKinds(organizationId: string, draft: DeploymentDraft): Promise<CanaryKinds | null> {
    if (draft.strategy !== 'canary') return null;
    await this.#requireAttributes(draft);
    return this.selection.countCanaryKinds(organizationId, selectionOf(draft), draft.stratifyBy);
  }

  /** The host's table of devices may have no attributes. */
  async #requireAttributes({ stratifyBy }: DeploymentDraft): Promise<void> {
    if (stratifyBy.length === 0 || (await this.selection.hasAttributes())) return;
    const message = 'stratify_by cannot be used: the devices of this host have no metadata';
    throw invalidRequest([{ path: 'stratify_by', message }]);
  }

  /**
   * Creates a deployment with its targets and batches in one transaction. If `idempotent` has a key that was used before,
   * returns the response of that time (docs/contract.md, Admin API). Throws `invalid_request` if `scheduledAt` is in the
   * past, `signature_refused`, `no_matching_devices`, `too_many_batches`, `idempotency_key_reused`, and
   * `queue_unavailable` for a scheduled deployment.
   */
  async create(
    admin: AdminCaller,
    draft: DeploymentDraft,
    idempotent: IdempotentRequest | null = null,
  ): Promise<CreatedDeployment> {
    if (draft.scheduledAt) await this.jobs.assertAvailable();
    await this.#requireAttributes(draft);
    const { organizationId } = admin;
    const id = randomUUID();
    const trace = { deployment_id: id, request_id: admin.requestId };
    const context = await this.forecasts.read(organizationId);
    const created = await this.transactions.run(
      async (transaction) => {
        const { tx } = transaction;
        if (idempotent) {
          const stored = await this.keys.claim(tx, organizationId, idempotent);
          if (stored) return responseOf(stored, idempotent);
        }
        const response = await this.#createInTransaction(transaction, id, admin, draft, context);
        if (idempotent) await this.keys.store(tx, organizationId, idempotent.key, response);
        return response;
      },
      LIMITS.creation,
      trace,
    );
    // A stored response has the id of the earlier creation.
    const isNew = created.deployment_id === id;
    if (isNew && created.target_devices >= MANY_TARGETS) await this.#refreshStatistics(trace);
    return created;
  }

  async #createInTransaction(
    transaction: DeploymentTransaction,
    id: string,
    admin: AdminCaller,
    draft: DeploymentDraft,
    context: ForecastContext,
  ): Promise<CreatedDeployment> {
    const { organizationId } = admin;
    const { tx } = transaction;
    requireFuture(draft.scheduledAt, tx.now);
    requireSignedPackage(draft, organizationId, this.config.signature_keys, tx.now);
    await this.deployments.insert(tx, id, organizationId, draft, admin.userId);
    const total = await this.selection.insertMatching(
      tx,
      id,
      organizationId,
      selectionOf(draft),
      draft.strategy === 'canary' ? draft.stratifyBy : null,
    );
    if (total === 0) throw noMatchingDevices(draft);
    await this.batches.insertPlan(tx, id, total, this.#plan(draft, total));
    const owner = { id, organizationId };
    transaction.record(actionEvents.created(owner, actorOf(admin), total, draft.targetVersion));
    transaction.changed(owner);
    if (draft.scheduledAt) {
      transaction.enqueue({ kind: 'start', deploymentId: id, at: draft.scheduledAt });
    }
    await this.deployments.stampCreated(tx, id);
    const { deployment, batches } = (await this.deployments.findState(
      organizationId,
      id,
      tx,
    )) as DeploymentState;
    return { ...toSummary(deployment, batches, context), target_devices: total };
  }

  async #forecast(organizationId: string, draft: DeploymentDraft, plan: BatchPlanEntry[]) {
    const context = await this.forecasts.read(organizationId);
    return toForecast(forecastOfDraft(draft, plan, context));
  }

  #plan(draft: DeploymentDraft, total: number): BatchPlanEntry[] {
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
          `at most ${MAX_BATCHES} are allowed. Choose a batch size of ` +
          `${Math.ceil(total / MAX_BATCHES)} or more.`,
      );
    }
    return plan;
  }

  /** Only the speed of queries depends on this, so an error is logged and ignored. */
  async #refreshStatistics(trace: object): Promise<void> {
    await this.selection.refreshStatistics().catch((error: unknown) => {
      this.logger.warn(
        { err: error, ...trace },
        'statistics of the target table could not be refreshed',
      );
    });
  }
}

function selectionOf({
  deviceFilters,
  packageName,
  skipUpToDate,
  targetVersion,
}: DeploymentDraft): DeviceSelection {
  return {
    filters: deviceFilters,
    packageName,
    excludedVersion: skipUpToDate ? targetVersion : null,
  };
}

/** A start in the past would mean to start at once, which is not what the admin asked for. */
function requireFuture(scheduledAt: Date | null, now: Date): void {
  if (scheduledAt === null || scheduledAt > now) return;
  const message = `scheduled_at is in the past; the server time is ${now.toISOString()}. Leave it out to start manually.`;
  throw invalidRequest([{ path: 'scheduled_at', message }]);
}

/** The stored response. Throws if the key was used for another request. */
function responseOf(
  { hash, response }: StoredResponse,
  idempotent: IdempotentRequest,
): CreatedDeployment {
  if (hash === idempotent.hash) return response;
  throw new DomainError(
    'idempotency_key_reused',
    `This Idempotency-Key was already used with another body, which created ${response.deployment_id}. ` +
      'Use a new key for each new request.',
  );
}

function noMatchingDevices({ skipUpToDate, targetVersion }: DeploymentDraft): DomainError {
  return new DomainError(
    'no_matching_devices',
    (skipUpToDate
      ? `No device of the organization matches all filters and runs another version than ${targetVersion}; `
      : 'No device of the organization matches all filters; ') +
      'nothing was created. Widen the filters; a preview shows what matches.',
  );
}
