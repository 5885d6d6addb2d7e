/** `ota deploy`: creates, starts and watches a deployment; the exit code tells a pipeline the result. */
import { randomUUID } from 'node:crypto';
import { UsageError } from '../../kernel/errors.ts';
import type {
  CreateDeploymentRequest,
  CreatedDeployment,
} from '../../../backend/contract/admin-api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type AdminApi, ServerAway } from './admin-api.ts';
import { type Patience, PatientCalls } from './patient-calls.ts';
import type { RolloutReport } from './rollout-report.ts';
import { type WatchPlan, watchRollout } from './rollout-watch.ts';

export interface DeployPlan extends WatchPlan, Patience {
  /** What to create, or the id of what is there. */
  deployment: CreateDeploymentRequest | string;
  start: boolean;
  watch: boolean;
}

/**
 * @throws {Refused} when the server does not do what is asked
 * @throws {UsageError} with the exit code for a server that stays away
 */
export async function deploy(
  api: AdminApi,
  plan: DeployPlan,
  report: RolloutReport,
): Promise<ExitCode> {
  const patient = new PatientCalls(plan, report);
  let id: string;
  if (typeof plan.deployment === 'string') id = plan.deployment;
  else {
    const created = await create(api, plan.deployment, patient);
    report.created(created);
    id = created.deployment_id;
  }
  patient.reattach = id;
  if (plan.start) {
    if (plan.stop.aborted) {
      throw new UsageError(`Stopped: deployment ${id} was not started.`, EXIT.stillRunning);
    }
    const impact = await patient.call(() => api.impact(id));
    if (impact) report.impact(id, impact);
    await patient.act(
      () => api.start(id),
      async () => (await api.detail(id)).status !== 'pending',
    );
    report.started(id);
  }
  return plan.watch ? watchRollout(api, id, plan, patient, report) : EXIT.ok;
}

/**
 * Creating twice would be two deployments: it is sent again only when it certainly did not happen, or to a
 * server that knows the request again by its key.
 */
function create(
  api: AdminApi,
  body: CreateDeploymentRequest,
  patient: PatientCalls,
): Promise<CreatedDeployment> {
  const key = randomUUID();
  return patient.call(async () => {
    try {
      return await api.create(body, key);
    } catch (error) {
      if (!(error instanceof ServerAway) || !error.maybeDone) throw error;
      if (await api.knowsKeys().catch(() => false)) throw error;
      throw new UsageError(
        `${error.message}. The deployment may have been created all the same: look for ` +
          `${JSON.stringify(body.deployment_name)} in the list before you try again.`,
        EXIT.serverUnreachable,
      );
    }
  });
}
