import { inject, injectable } from 'inversify';
import type { DeploymentImpact } from '../../contract/admin-api.ts';
import { DeploymentQueries } from '../reading/deployment-queries.service.ts';
import type { DeploymentDraft } from '../model/deployment.types.ts';
import { impactOf } from '../rules/impact.ts';
import { FleetImpact } from '../model/target.ports.ts';
import { filterGroups } from '../../targeting/version-filter.ts';

/** Computes what a deployment would do to the fleet in its current state (docs/contract.md, Admin API). */
@injectable()
export class ImpactService {
  constructor(
    @inject(DeploymentQueries) private readonly queries: DeploymentQueries,
    @inject(FleetImpact) private readonly fleet: FleetImpact,
  ) {}

  /** The impact of a deployment that has not been created. */
  async forDraft(organizationId: string, draft: DeploymentDraft): Promise<DeploymentImpact> {
    const { deviceFilters: filters, packageName, targetVersion, strategy } = draft;
    const excludedVersion = draft.skipUpToDate ? targetVersion : null;
    const [candidates, fleetDevices, overlapping] = await Promise.all([
      this.fleet.matchingDevices(organizationId, { filters, packageName }),
      this.fleet.fleetSize(organizationId),
      this.fleet.overlappingWithSelection(organizationId, {
        filters,
        packageName,
        excludedVersion,
      }),
    ]);
    return impactOf({
      strategy,
      targetVersion,
      isPicked: filters.device_ids !== undefined,
      groups: filterGroups(candidates, filters, excludedVersion),
      fleetDevices,
      overlapping,
    });
  }

  /** The impact of an existing deployment on the devices that have not finished. Throws `not_found`. */
  async forDeployment(organizationId: string, id: string): Promise<DeploymentImpact> {
    const deployment = await this.queries.find(organizationId, id);
    const [groups, fleetDevices, overlapping] = await Promise.all([
      this.fleet.unfinishedDevices(deployment),
      this.fleet.fleetSize(organizationId),
      this.fleet.overlappingWith(deployment),
    ]);
    return impactOf({
      strategy: deployment.strategy,
      targetVersion: deployment.targetVersion,
      isPicked: deployment.deviceFilters.device_ids !== undefined,
      groups,
      fleetDevices,
      overlapping,
    });
  }
}
