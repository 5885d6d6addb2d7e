import { inject, injectable } from 'inversify';
import type { OtaMetrics } from '../contract/admin-api.ts';
import type { DeploymentRepository } from '../deployments/deployment.ports.ts';
import { notFound } from '../kernel/errors.ts';
import { percent } from '../kernel/percent.ts';
import { TOKENS } from '../tokens.ts';
import type { MetricsRepository } from './metrics.ports.ts';

/** The figures of CONTRACT section 5. */
@injectable()
export class MetricsService {
  readonly #metrics: MetricsRepository;
  readonly #deployments: DeploymentRepository;

  constructor(
    @inject(TOKENS.MetricsRepository) metrics: MetricsRepository,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
  ) {
    this.#metrics = metrics;
    this.#deployments = deployments;
  }

  async read(organizationId: string, deploymentId: string | null): Promise<OtaMetrics> {
    if (deploymentId !== null && !(await this.#deployments.find(organizationId, deploymentId))) {
      throw notFound('This deployment');
    }
    const figures = await this.#metrics.figures(organizationId, deploymentId);
    const { completed, failed, rolled_back: rolledBack } = figures.breakdown;
    const ended = completed + failed + rolledBack;
    return {
      success_rate: percent(completed, ended),
      rollback_rate: percent(rolledBack, ended),
      compliance: percent(figures.compliantTargets, figures.totalTargets),
      average_duration_seconds:
        figures.averageDurationSeconds === null
          ? null
          : Math.round(figures.averageDurationSeconds * 10) / 10,
      total_deployments: figures.totalDeployments,
      active_deployments: figures.activeDeployments,
      total_targets: figures.totalTargets,
      versions: figures.versions,
      ended_over_time: figures.endedOverTime,
    };
  }
}
