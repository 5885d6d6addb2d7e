import { inject, injectable } from 'inversify';
import type { DeviceDetail, DeviceHistory } from '../contract/admin-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetViews } from '../deployments/model/target.ports.ts';
import { notFound } from '../kernel/errors.ts';
import { currentTarget } from './current-target.ts';
import { ExplanationRepository } from './explanation.ports.ts';
import { DeviceHistoryRepository } from './device-history.ports.ts';
import { FleetRepository } from './fleet.ports.ts';

/** Reads devices for the admin API. All methods throw `not_found` for unknown ids. */
@injectable()
export class DeviceQueries {
  constructor(
    @inject(FleetRepository) private readonly fleet: FleetRepository,
    @inject(ExplanationRepository) private readonly explanations: ExplanationRepository,
    @inject(DeviceHistoryRepository) private readonly histories: DeviceHistoryRepository,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetViews) private readonly targets: TargetViews,
  ) {}

  /** A registered device of the organization. */
  async detail(organizationId: string, deviceId: string): Promise<DeviceDetail> {
    const [facts, explained] = await Promise.all([
      this.fleet.find(organizationId, deviceId),
      this.explanations.find(organizationId, deviceId),
    ]);
    if (!facts || !explained) throw notFound('This device');
    const { open, contact } = explained.situation;
    const key = currentTarget(open);
    const deployment = key && (await this.deployments.find(organizationId, key.deploymentId));
    const [current = null] = deployment ? await this.targets.ofDevice(deviceId, [deployment]) : [];
    return { ...facts, last_polled_at: contact.lastPolledAt?.toISOString() ?? null, current };
  }

  /**
   * The targets that the device ever had in the organization, also if it has left it meanwhile.
   *
   * @param after the `next_cursor` of an earlier page; `null`: the first page
   */
  async history(
    organizationId: string,
    deviceId: string,
    after: string | null,
    limit: number,
  ): Promise<DeviceHistory> {
    const { deployments, next } = await this.histories.deploymentsOf(
      organizationId,
      deviceId,
      after,
      limit,
    );
    const isUnknown = after === null && deployments.length === 0 && next === null;
    if (isUnknown && !(await this.fleet.find(organizationId, deviceId))) {
      throw notFound('This device');
    }
    return { targets: await this.targets.ofDevice(deviceId, deployments), next_cursor: next };
  }
}
