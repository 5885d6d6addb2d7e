import { inject, injectable } from 'inversify';
import { PluginConfig } from '../config.ts';
import type { DeviceExplanation } from '../contract/admin-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetRepository } from '../deployments/model/target.ports.ts';
import { waitingForOf } from '../deployments/reading/waiting.views.ts';
import { nextTarget, silenceLimitMs } from '../deployments/rules/waiting.ts';
import { notFound } from '../kernel/errors.ts';
import { type ExplainedDevice, ExplanationRepository } from './explanation.ports.ts';

type ExplainedTarget = Omit<
  DeviceExplanation,
  'device_id' | 'device_name' | 'last_seen' | 'last_polled_at'
>;

const NO_TARGET: ExplainedTarget = {
  deployment_id: null,
  deployment_name: null,
  target_version: null,
  target_status: null,
  waiting_for: null,
};

/** Explains why a device does not run a version yet (docs/contract.md, Why not?). */
@injectable()
export class ExplanationService {
  constructor(
    @inject(ExplanationRepository) private readonly devices: ExplanationRepository,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(PluginConfig) private readonly config: PluginConfig,
  ) {}

  /**
   * Throws `not_found`.
   *
   * @param deploymentId `null`: that of the unfinished target which the device gets next
   */
  async explain(
    organizationId: string,
    deviceId: string,
    deploymentId: string | null,
  ): Promise<DeviceExplanation> {
    const device = await this.devices.find(organizationId, deviceId);
    if (!device) throw notFound('This device');
    const { lastSeen, lastPolledAt } = device.situation.contact;
    return {
      device_id: deviceId,
      device_name: device.name,
      last_seen: lastSeen?.toISOString() ?? null,
      last_polled_at: lastPolledAt?.toISOString() ?? null,
      ...(deploymentId === null
        ? this.#next(device)
        : await this.#in(organizationId, deploymentId, deviceId, device)),
    };
  }

  #next({ situation }: ExplainedDevice): ExplainedTarget {
    const next = nextTarget(situation.open);
    if (!next) return NO_TARGET;
    return {
      deployment_id: next.deploymentId,
      deployment_name: next.deploymentName,
      target_version: next.targetVersion,
      target_status: next.status,
      waiting_for: this.#waitingFor(situation, next.deploymentId),
    };
  }

  async #in(
    organizationId: string,
    deploymentId: string,
    deviceId: string,
    { situation }: ExplainedDevice,
  ): Promise<ExplainedTarget> {
    const deployment = await this.deployments.find(organizationId, deploymentId);
    if (!deployment) throw notFound('This deployment');
    const target = await this.targets.find(deploymentId, deviceId);
    if (!target) throw notFound('This device in this deployment');
    return {
      deployment_id: deployment.id,
      deployment_name: deployment.name,
      target_version: deployment.targetVersion,
      target_status: target.status,
      waiting_for: this.#waitingFor(situation, deployment.id),
    };
  }

  #waitingFor(situation: ExplainedDevice['situation'], deploymentId: string) {
    const silenceMs = silenceLimitMs(this.config.poll_interval_seconds);
    return waitingForOf(situation, silenceMs).get(deploymentId) ?? null;
  }
}
