import 'reflect-metadata';
import { Container, type ServiceIdentifier } from 'inversify';
import type { Knex } from 'knex';
import { KnexEventRepository } from './audit/event.repository.ts';
import type { PluginConfig } from './config.ts';
import { KnexUnitOfWork } from './database/knex-unit-of-work.ts';
import { DeploymentCreation } from './deployments/deployment-creation.service.ts';
import { DeploymentController } from './deployments/deployment.controller.ts';
import { DeploymentTransactions } from './deployments/deployment-transactions.service.ts';
import { DeploymentQueries } from './deployments/deployment.queries.ts';
import { KnexDeploymentRepository } from './deployments/deployment.repository.ts';
import { KnexIdempotencyKeys } from './deployments/idempotency-key.repository.ts';
import { DeploymentService } from './deployments/deployment.service.ts';
import type { RolloutJobs } from './deployments/rollout-jobs.ts';
import { RolloutSteps } from './deployments/rollout-steps.ts';
import { RolloutService } from './deployments/rollout.service.ts';
import { TargetRecovery } from './deployments/target-recovery.service.ts';
import { TargetTransitions } from './deployments/target-transition.service.ts';
import { KnexDeviceVersions } from './deployments/device-versions.repository.ts';
import { KnexFleetImpact } from './deployments/fleet-impact.repository.ts';
import { DeploymentImpacts } from './deployments/deployment-impact.service.ts';
import { KnexTargetSelection } from './deployments/target-selection.repository.ts';
import { KnexTargetViews } from './deployments/target-views.repository.ts';
import { KnexTargetRepository } from './deployments/target.repository.ts';
import { DeviceController } from './devices/device.controller.ts';
import { KnexDeviceRepository } from './devices/device.repository.ts';
import { DeviceService } from './devices/device.service.ts';
import { FleetController } from './devices/fleet.controller.ts';
import { KnexFleetRepository } from './devices/fleet.repository.ts';
import { KnexInstallLogRepository } from './devices/install-log.repository.ts';
import { InstallLogService } from './devices/install-log.service.ts';
import type { HostContext } from './host-contract.ts';
import { KnexCensusRepository } from './metrics/census.repository.ts';
import { CensusService } from './metrics/census.service.ts';
import { MetricsController } from './metrics/metrics.controller.ts';
import { KnexMetricsRepository } from './metrics/metrics.repository.ts';
import { MetricsService } from './metrics/metrics.service.ts';
import type { Telemetry } from './observability/telemetry.ports.ts';
import { EventStreams } from './progress/event-streams.ts';
import { PostgresChangeFeed } from './progress/postgres-change-feed.ts';
import { StreamController } from './progress/stream.controller.ts';
import { TOKENS } from './tokens.ts';

/** What the container is given ready-made. */
export interface ContainerParts {
  host: HostContext;
  /** The plugin's own, over the pool of the host's. */
  knex: Knex;
  config: PluginConfig;
  jobs: RolloutJobs;
  telemetry: Telemetry;
}

/** The composition root: the only file that knows which class stands behind which interface. */
export function createContainer(parts: ContainerParts): Container {
  const { host, knex, config, jobs, telemetry } = parts;
  const container = new Container({ defaultScope: 'Singleton' });
  container.bind(TOKENS.Config).toConstantValue(config);
  container.bind(TOKENS.Logger).toConstantValue(host.logger);
  container.bind(TOKENS.Knex).toConstantValue(knex);
  container.bind(TOKENS.Notices).toConstantValue(host.events);
  container.bind(TOKENS.RolloutJobs).toConstantValue(jobs);
  container.bind(TOKENS.Telemetry).toConstantValue(telemetry);

  container.bind(TOKENS.UnitOfWork).to(KnexUnitOfWork);
  container.bind(TOKENS.DeploymentRepository).to(KnexDeploymentRepository);
  container.bind(TOKENS.IdempotencyKeys).to(KnexIdempotencyKeys);
  container.bind(TOKENS.FleetImpact).to(KnexFleetImpact);
  container.bind(TOKENS.TargetSelection).to(KnexTargetSelection);
  container.bind(TOKENS.TargetRepository).to(KnexTargetRepository);
  container.bind(TOKENS.TargetViews).to(KnexTargetViews);
  container.bind(TOKENS.DeviceVersions).to(KnexDeviceVersions);
  container.bind(TOKENS.DeviceRepository).to(KnexDeviceRepository);
  container.bind(TOKENS.FleetRepository).to(KnexFleetRepository);
  container.bind(TOKENS.InstallLogRepository).to(KnexInstallLogRepository);
  container.bind(TOKENS.EventRepository).to(KnexEventRepository);
  container.bind(TOKENS.MetricsRepository).to(KnexMetricsRepository);
  container.bind(TOKENS.CensusRepository).to(KnexCensusRepository);
  container.bind(TOKENS.ChangeFeed).to(PostgresChangeFeed);

  for (const service of [
    DeploymentCreation,
    DeploymentImpacts,
    DeploymentQueries,
    DeploymentTransactions,
    DeploymentService,
    TargetRecovery,
    RolloutSteps,
    RolloutService,
    TargetTransitions,
    DeviceService,
    InstallLogService,
    CensusService,
    MetricsService,
    EventStreams,
    DeploymentController,
    DeviceController,
    FleetController,
    MetricsController,
    StreamController,
  ]) {
    container.bind(service as ServiceIdentifier<unknown>).toSelf();
  }
  return container;
}
