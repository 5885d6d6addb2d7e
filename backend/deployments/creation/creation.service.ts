import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { Logger } from '../../kernel/logger.ts';
import { PluginConfig } from '../../config.ts';
import type { CreatedDeployment, DeploymentPreview } from '../../contract/admin-api.ts';
import { isSameVersion } from '../../contract/version.ts';
import { DomainError, invalidRequest } from '../../kernel/errors.ts';
import { LIMITS } from '../../kernel/time-limits.ts';
import type { DeploymentTransaction } from '../transaction/deployment-transaction.ts';
import { DeploymentTransactions } from '../transaction/deployment-transactions.service.ts';
import {
  type StoredResponse,
  type IdempotentRequest,
  DeploymentRepository,
  IdempotencyKeys,
} from '../model/deployment.ports.ts';
import type { DeploymentDraft, DeploymentState } from '../model/deployment.types.ts';
import { toSummary } from '../reading/deployment.views.ts';
import { requireSignedPackage } from '../../packages/package-signature.ts';
import { RolloutJobs } from '../model/rollout-jobs.ports.ts';
import { MAX_BATCHES, planBatches } from '../rules/batch-plan.ts';
import { byType, byVersion, sumOf } from '../rules/device-groups.ts';
import { actionEvents, actorOf } from '../rules/timeline-events.ts';
import {
  filterGroups,
  isIncomparable,
  passesVersionFilter,
} from '../../targeting/version-filter.ts';
import { TargetSelection } from '../model/target.ports.ts';

/** From so many new targets on, the planner is told of them. */
const MANY_TARGETS = 1_000;

/** Planning and creating deployments: who would get it, in which batches; then all of it or nothing. */
@injectable()
export class DeploymentCreation {
  constructor(
    @inject(DeploymentTransactions) private readonly transactions: DeploymentTransactions,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetSelection) private readonly selection: TargetSelection,
    @inject(RolloutJobs) private readonly jobs: RolloutJobs,
    @inject(PluginConfig) private readonly config: PluginConfig,
    @inject(IdempotencyKeys) private readonly keys: IdempotencyKeys,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** What {@link create} would do now; creates nothing and accepts that nothing matches. */
  async preview(organizationId: string, draft: DeploymentDraft): Promise<DeploymentPreview> {
    const { deviceFilters: filters } = draft;
    // One look at the fleet: versions are told apart here, of which there are few.
    const inScope = await this.selection.countDeviceGroups(organizationId, filters);
    const passing = inScope.filter(({ version }) => passesVersionFilter(version, filters));
    const notComparable = inScope.filter(({ version }) => isIncomparable(version, filters));
    const upToDate = passing.filter(({ version }) => isSameVersion(version, draft.targetVersion));
    const groups = filterGroups(inScope, filters, draft.skipUpToDate ? draft.targetVersion : null);
    const total = sumOf(groups);
    return {
      matching_devices: total,
      up_to_date: draft.targetVersion === '' ? null : sumOf(upToDate),
      by_type: byType(groups),
      by_version: byVersion(groups),
      not_comparable: byVersion(notComparable),
      batches: total === 0 ? [] : this.#plan(draft, total),
    };
  }

  /**
   * All of it or nothing. With a `repeatable` request whose key was used before: what was answered then.
   * Throws `signature_refused`, `no_matching_devices`, `too_many_batches`, `idempotency_key_reused`, and
   * `queue_unavailable` for scheduled ones.
   */
  async create(
    admin: AdminCaller,
    draft: DeploymentDraft,
    repeatable: IdempotentRequest | null = null,
  ): Promise<CreatedDeployment> {
    if (draft.scheduledAt) await this.jobs.assertAvailable();
    const { organizationId } = admin;
    const id = randomUUID();
    const trace = { deployment_id: id, request_id: admin.requestId };
    const created = await this.transactions.run(
      async (transaction) => {
        const { tx } = transaction;
        if (repeatable) {
          const before = await this.keys.claim(tx, organizationId, repeatable);
          if (before) return storedResponse(before, repeatable);
        }
        const answer = await this.#createInTransaction(transaction, id, admin, draft);
        if (repeatable) await this.keys.store(tx, organizationId, repeatable.key, answer);
        return answer;
      },
      LIMITS.creation,
      trace,
    );
    // Otherwise somebody else's creation was answered again.
    const isNew = created.deployment_id === id;
    if (isNew && created.target_devices >= MANY_TARGETS) await this.#refreshStatistics(trace);
    return created;
  }

  async #createInTransaction(
    transaction: DeploymentTransaction,
    id: string,
    admin: AdminCaller,
    draft: DeploymentDraft,
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
      {
        filters: draft.deviceFilters,
        excludedVersion: draft.skipUpToDate ? draft.targetVersion : null,
      },
      draft.strategy === 'canary',
    );
    if (total === 0) throw noMatchingDevices(draft);
    await this.deployments.insertPlan(tx, id, total, this.#plan(draft, total));
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
    await this.selection.refreshStatistics().catch((error: unknown) => {
      this.logger.warn(
        { err: error, ...trace },
        'statistics of the targets could not be refreshed',
      );
    });
  }
}

/** A start in the past would start at once, which nobody asked for who wrote a time. */
function requireFuture(scheduledAt: Date | null, now: Date): void {
  if (scheduledAt === null || scheduledAt > now) return;
  const message = `scheduled_at is in the past: it is ${now.toISOString()} here. Leave it out to start by hand.`;
  throw invalidRequest([{ path: 'scheduled_at', message }]);
}

/** The first answer again; throws when the key stood for another request. */
function storedResponse(
  { hash, response: answer }: StoredResponse,
  repeatable: IdempotentRequest,
): CreatedDeployment {
  if (hash === repeatable.hash) return answer;
  throw new DomainError(
    'idempotency_key_reused',
    `This Idempotency-Key was sent with another body before, which made ${answer.deployment_id}. ` +
      'Send a new key with a new request.',
  );
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
