import 'reflect-metadata';
import { Container, type ServiceIdentifier } from 'inversify';
import type { Knex } from 'knex';
import { KnexEventRepository } from './audit/event.repository.ts';
import { PluginConfig } from './config.ts';
import { KnexUnitOfWork } from './database/knex-unit-of-work.ts';
import { DeploymentCreation } from './deployments/creation/creation.service.ts';
import { ControlController } from './deployments/control/control.controller.ts';
import { CreationController } from './deployments/creation/creation.controller.ts';
import { ReadingController } from './deployments/reading/reading.controller.ts';
import { DeploymentTransactions } from './deployments/transaction/deployment-transactions.service.ts';
import { DeploymentQueries } from './deployments/reading/deployment-queries.service.ts';
import { ForecastContexts } from './deployments/reading/forecast-context.service.ts';
import { KnexBatchRepository } from './deployments/storage/batch.repository.ts';
import { KnexDeploymentRepository } from './deployments/storage/deployment.repository.ts';
import { KnexIdempotencyKeys } from './deployments/creation/idempotency-key.repository.ts';
import { DeploymentControl } from './deployments/control/control.service.ts';
import { RolloutJobs } from './deployments/model/rollout-jobs.ports.ts';
import { RolloutSteps } from './deployments/transaction/rollout-steps.ts';
import { RolloutService } from './deployments/rollout/rollout.service.ts';
import { KnexSweepTargets } from './deployments/rollout/sweep-targets.repository.ts';
import { TimeoutSweep } from './deployments/rollout/timeout-sweep.service.ts';
import { TargetRecovery } from './deployments/control/recovery.service.ts';
import { TargetTransitions } from './deployments/targets/target-transitions.service.ts';
import { KnexDeviceVersions } from './deployments/storage/device-versions.repository.ts';
import { KnexFleetImpact } from './deployments/creation/fleet-impact.repository.ts';
import { ImpactService } from './deployments/creation/impact.service.ts';
import { KnexTargetSelection } from './deployments/creation/target-selection.repository.ts';
import { KnexTargetViews } from './deployments/reading/target-views.repository.ts';
import { KnexTargetRepository } from './deployments/storage/target.repository.ts';
import { DeviceController } from './devices/device.controller.ts';
import { KnexDeviceRepository } from './devices/device.repository.ts';
import { DeviceService } from './devices/device.service.ts';
import { LastPollRepository } from './devices/last-poll.ports.ts';
import { KnexLastPollRepository } from './devices/last-poll.repository.ts';
import { LastPolls } from './devices/last-poll.service.ts';
import { ExplanationController } from './fleet/explanation.controller.ts';
import { ExplanationRepository } from './fleet/explanation.ports.ts';
import { KnexExplanationRepository } from './fleet/explanation.repository.ts';
import { ExplanationService } from './fleet/explanation.service.ts';
import { FleetController } from './fleet/fleet.controller.ts';
import { DeviceHistoryRepository } from './fleet/device-history.ports.ts';
import { KnexDeviceHistoryRepository } from './fleet/device-history.repository.ts';
import { DeviceQueries } from './fleet/device-queries.service.ts';
import { KnexFleetRepository } from './fleet/fleet.repository.ts';
import { KnexInstallLogRepository } from './devices/install-log.repository.ts';
import { InstallLogService } from './devices/install-log.service.ts';
import type { HostContext } from './host-contract.ts';
import { KnexCensusRepository } from './fleet/census.repository.ts';
import { CensusService } from './fleet/census.service.ts';
import { MetricsController } from './metrics/metrics.controller.ts';
import { KnexMetricsRepository } from './metrics/metrics.repository.ts';
import { MetricsService } from './metrics/metrics.service.ts';
import { Telemetry } from './observability/telemetry.ports.ts';
import { EventStreams } from './live-updates/event-streams.ts';
import { PostgresChangeFeed } from './live-updates/postgres-change-feed.ts';
import { StreamController } from './live-updates/stream.controller.ts';
import { CensusRepository } from './fleet/census.ports.ts';
import { ChangeFeed } from './deployments/model/change-feed.ports.ts';
import {
  BatchRepository,
  DeploymentRepository,
  IdempotencyKeys,
} from './deployments/model/deployment.ports.ts';
import { DeviceRepository } from './devices/device.ports.ts';
import {
  DeviceVersions,
  FleetImpact,
  SweepTargets,
  TargetRepository,
  TargetSelection,
  TargetViews,
} from './deployments/model/target.ports.ts';
import { EventRepository } from './audit/event.ports.ts';
import { FleetRepository } from './fleet/fleet.ports.ts';
import { InstallLogRepository } from './devices/install-log.ports.ts';
import { Database } from './database/database.ts';
import { Logger } from './kernel/logger.ts';
import { MetricsRepository } from './metrics/metrics.ports.ts';
import { HostEvents } from './kernel/host-events.ts';
import { UnitOfWork } from './kernel/unit-of-work.ts';

/** Objects that exist before the container. */
export interface ContainerParts {
  host: HostContext;
  /** The plugin's own Knex, which uses the host's connection pool. */
  knex: Knex;
  config: PluginConfig;
  jobs: RolloutJobs;
  telemetry: Telemetry;
}

/** The composition root: the only file that binds classes to interfaces. */
export function createContainer(parts: ContainerParts): Container {
  const { host, knex, config, jobs, telemetry } = parts;
  const container = new Container({ defaultScope: 'Singleton' });
  container.bind(PluginConfig).toConstantValue(config);
  container.bind(Logger).toConstantValue(host.logger);
  container.bind(Database).toConstantValue(knex);
  container.bind(HostEvents).toConstantValue(host.events);
  container.bind(RolloutJobs).toConstantValue(jobs);
  container.bind(Telemetry).toConstantValue(telemetry);

  container.bind(UnitOfWork).to(KnexUnitOfWork);
  container.bind(DeploymentRepository).to(KnexDeploymentRepository);
  container.bind(BatchRepository).to(KnexBatchRepository);
  container.bind(IdempotencyKeys).to(KnexIdempotencyKeys);
  container.bind(FleetImpact).to(KnexFleetImpact);
  container.bind(TargetSelection).to(KnexTargetSelection);
  container.bind(TargetRepository).to(KnexTargetRepository);
  container.bind(TargetViews).to(KnexTargetViews);
  container.bind(SweepTargets).to(KnexSweepTargets);
  container.bind(DeviceVersions).to(KnexDeviceVersions);
  container.bind(DeviceRepository).to(KnexDeviceRepository);
  container.bind(LastPollRepository).to(KnexLastPollRepository);
  container.bind(ExplanationRepository).to(KnexExplanationRepository);
  container.bind(FleetRepository).to(KnexFleetRepository);
  container.bind(DeviceHistoryRepository).to(KnexDeviceHistoryRepository);
  container.bind(InstallLogRepository).to(KnexInstallLogRepository);
  container.bind(EventRepository).to(KnexEventRepository);
  container.bind(MetricsRepository).to(KnexMetricsRepository);
  container.bind(CensusRepository).to(KnexCensusRepository);
  container.bind(ChangeFeed).to(PostgresChangeFeed);

  for (const service of [
    DeploymentCreation,
    ImpactService,
    DeploymentQueries,
    ForecastContexts,
    DeploymentTransactions,
    DeploymentControl,
    TargetRecovery,
    RolloutSteps,
    RolloutService,
    TimeoutSweep,
    TargetTransitions,
    LastPolls,
    DeviceService,
    InstallLogService,
    CensusService,
    ExplanationService,
    DeviceQueries,
    MetricsService,
    EventStreams,
    CreationController,
    ReadingController,
    ControlController,
    DeviceController,
    ExplanationController,
    FleetController,
    MetricsController,
    StreamController,
  ]) {
    container.bind(service as ServiceIdentifier<unknown>).toSelf();
  }
  return container;
}
