import { inject, injectable } from 'inversify';
import type { OtaMetrics } from '../contract/admin-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { notFound } from '../kernel/errors.ts';
import { percent } from '../kernel/percent.ts';
import { CensusService } from '../fleet/census.service.ts';
import { complianceOf, versionsOf } from '../fleet/census.ts';
import { MetricsRepository } from './metrics.ports.ts';

/** Computes the figures of docs/contract.md, Admin API. */
@injectable()
export class MetricsService {
  constructor(
    @inject(MetricsRepository) private readonly metrics: MetricsRepository,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(CensusService) private readonly census: CensusService,
  ) {}

  /** Figures of one deployment, or of the whole organization. Throws `not_found`. */
  async read(organizationId: string, deploymentId: string | null): Promise<OtaMetrics> {
    const deployment =
      deploymentId === null ? null : await this.deployments.find(organizationId, deploymentId);
    if (deploymentId !== null && !deployment) throw notFound('This deployment');
    const [figures, census] = await Promise.all([
      this.metrics.figures(organizationId, deploymentId),
      this.census.get({ organizationId, deployment }),
    ]);
    const { completed, failed } = figures.breakdown;
    const rolledBack = figures.breakdown.rolled_back - figures.rolledBackOnRequest;
    const finished = completed + failed + rolledBack;
    const groups = census?.groups ?? [];
    const { wanted, compliant } = complianceOf(groups);
    return {
      success_rate: percent(completed, finished),
      rollback_rate: percent(rolledBack, finished),
      // Targets whose device is gone count as not compliant.
      compliance: census && percent(compliant, deployment ? figures.totalTargets : wanted),
      average_duration_seconds:
        figures.averageDurationSeconds === null
          ? null
          : Math.round(figures.averageDurationSeconds * 10) / 10,
      total_deployments: figures.totalDeployments,
      active_deployments: figures.activeDeployments,
      total_targets: figures.totalTargets,
      versions: versionsOf(groups),
      ended_over_time: figures.finishedOverTime,
      as_of: census?.countedAt.toISOString() ?? null,
    };
  }
}
