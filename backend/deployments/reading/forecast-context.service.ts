import { inject, injectable } from 'inversify';
import { PluginConfig } from '../../config.ts';
import { DeploymentRepository } from '../model/deployment.ports.ts';
import type { ForecastContext } from '../rules/forecast-input.ts';

/** Reads what the forecasts of an organization are based on. */
@injectable()
export class ForecastContexts {
  constructor(
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(PluginConfig) private readonly config: PluginConfig,
  ) {}

  async read(organizationId: string): Promise<ForecastContext> {
    const { durations, now } = await this.deployments.recentDurations(organizationId);
    return { now, pollSeconds: this.config.poll_interval_seconds, recentDurations: durations };
  }
}
