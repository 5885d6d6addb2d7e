import type { OtaMetrics, StatusBreakdown } from '../contract/admin-api.ts';

export interface MetricsFigures {
  breakdown: StatusBreakdown;
  averageDurationSeconds: number | null;
  /** Targets whose device runs the deployment's target version now. */
  compliantTargets: number;
  totalTargets: number;
  totalDeployments: number;
  activeDeployments: number;
  versions: OtaMetrics['versions'];
  endedOverTime: OtaMetrics['ended_over_time'];
}

export interface MetricsRepository {
  /** `deploymentId` null: the whole organization. */
  figures(organizationId: string, deploymentId: string | null): Promise<MetricsFigures>;
}
