import type { OtaMetrics, StatusBreakdown } from '../contract/admin-api.ts';
import { token } from '../kernel/token.ts';

export interface MetricsFigures {
  breakdown: StatusBreakdown;
  /** The rolled back targets whose rollback an admin requested. */
  rolledBackOnRequest: number;
  totalTargets: number;
  averageDurationSeconds: number | null;
  totalDeployments: number;
  activeDeployments: number;
  finishedOverTime: OtaMetrics['ended_over_time'];
}

export interface MetricsRepository {
  /** `deploymentId`: `null` for the whole organization. */
  figures(organizationId: string, deploymentId: string | null): Promise<MetricsFigures>;
}
export const MetricsRepository = token<MetricsRepository>('MetricsRepository');
