/** `ota deploy`: creates, starts and watches a deployment; the exit code is the result for a pipeline. */
import { randomUUID } from 'node:crypto';
import { UsageError } from '../../kernel/errors.ts';
import type {
  CreateDeploymentRequest,
  CreatedDeployment,
} from '../../../backend/contract/admin-api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type AdminApi, ServerUnavailable } from './admin-api.ts';
import { type RetryLimits, RetryingClient } from './retrying-client.ts';
import type { RolloutReport } from './rollout-report.ts';
import { type WatchPlan, watchRollout } from './rollout-watch.ts';

export interface DeployPlan extends WatchPlan, RetryLimits {
  /** What to create, or the id of an existing deployment. */
  deployment: CreateDeploymentRequest | string;
  start: boolean;
  watch: boolean;
}

/**
 * @throws {Refused} by the server
 * @throws {UsageError} with the exit code for a server that stays unreachable
 */
export async function deploy(
  api: AdminApi,
  plan: DeployPlan,
  report: RolloutReport,
): Promise<ExitCode> {
  const retrying = new RetryingClient(plan, report);
  let id: string;
  if (typeof plan.deployment === 'string') id = plan.deployment;
  else {
    const created = await create(api, plan.deployment, retrying);
    report.created(created);
    id = created.deployment_id;
    await reportCoverage(api, id, plan.deployment, retrying, report);
  }
  retrying.deploymentId = id;
  if (plan.start) {
    if (plan.stop.aborted) {
      throw new UsageError(`Stopped: deployment ${id} was not started.`, EXIT.stillRunning);
    }
    const impact = await retrying.call(() => api.impact(id));
    if (impact) report.impact(id, impact);
    await retrying.act(
      () => api.start(id),
      async () => (await api.detail(id)).status !== 'pending',
    );
    report.started(id);
  }
  return plan.watch ? watchRollout(api, id, plan, retrying, report) : EXIT.ok;
}

/** Which kinds of devices a canary covers; a server of an earlier release does not report it. */
async function reportCoverage(
  api: AdminApi,
  id: string,
  body: CreateDeploymentRequest,
  retrying: RetryingClient,
  report: RolloutReport,
): Promise<void> {
  if (body.rollout_strategy !== 'canary') return;
  const preview = await retrying.call(() => api.preview(body));
  if (preview?.canary) report.coverage(id, preview.canary);
}

/**
 * Creating twice would make two deployments: the request is sent again only when it certainly had no effect, or
 * to a server that supports idempotency keys.
 */
function create(
  api: AdminApi,
  body: CreateDeploymentRequest,
  retrying: RetryingClient,
): Promise<CreatedDeployment> {
  const key = randomUUID();
  return retrying.call(async () => {
    try {
      return await api.create(body, key);
    } catch (error) {
      if (!(error instanceof ServerUnavailable) || !error.maybeDone) throw error;
      if (await api.supportsKeys().catch(() => false)) throw error;
      throw new UsageError(
        `${error.message}. The deployment may have been created anyway: look for ` +
          `${JSON.stringify(body.deployment_name)} in the list before you try again.`,
        EXIT.serverUnreachable,
      );
    }
  });
}
