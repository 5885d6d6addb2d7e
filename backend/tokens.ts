import type { ServiceIdentifier } from 'inversify';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { EventRepository } from './audit/event.ports.ts';
import type { PluginConfig } from './config.ts';
import type { DeploymentRepository, IdempotencyKeys } from './deployments/deployment.ports.ts';
import type { DeviceRepository, FleetRepository } from './devices/device.ports.ts';
import type { InstallLogRepository } from './devices/install-log.ports.ts';
import type { HostContext } from './host-contract.ts';
import type { UnitOfWork } from './kernel/unit-of-work.ts';
import type { CensusRepository } from './metrics/census.ports.ts';
import type { MetricsRepository } from './metrics/metrics.ports.ts';
import type { Telemetry } from './observability/telemetry.ports.ts';
import type { ChangeFeed } from './progress/change-feed.ts';
import type { RolloutJobs } from './deployments/rollout-jobs.ts';
import type {
  DeviceVersions,
  TargetRepository,
  FleetImpact,
  TargetSelection,
  TargetViews,
} from './deployments/target.ports.ts';

function token<T>(name: string): ServiceIdentifier<T> {
  return Symbol.for(`ota.${name}`);
}

/** What can be injected, by interface; `container.ts` says which class stands behind each. */
export const TOKENS = {
  Config: token<PluginConfig>('Config'),
  Logger: token<Logger>('Logger'),
  Knex: token<Knex>('Knex'),
  Notices: token<HostContext['events']>('Notices'),
  UnitOfWork: token<UnitOfWork>('UnitOfWork'),
  DeploymentRepository: token<DeploymentRepository>('DeploymentRepository'),
  IdempotencyKeys: token<IdempotencyKeys>('IdempotencyKeys'),
  FleetImpact: token<FleetImpact>('FleetImpact'),
  TargetSelection: token<TargetSelection>('TargetSelection'),
  TargetRepository: token<TargetRepository>('TargetRepository'),
  TargetViews: token<TargetViews>('TargetViews'),
  DeviceVersions: token<DeviceVersions>('DeviceVersions'),
  DeviceRepository: token<DeviceRepository>('DeviceRepository'),
  FleetRepository: token<FleetRepository>('FleetRepository'),
  InstallLogRepository: token<InstallLogRepository>('InstallLogRepository'),
  EventRepository: token<EventRepository>('EventRepository'),
  MetricsRepository: token<MetricsRepository>('MetricsRepository'),
  CensusRepository: token<CensusRepository>('CensusRepository'),
  ChangeFeed: token<ChangeFeed>('ChangeFeed'),
  RolloutJobs: token<RolloutJobs>('RolloutJobs'),
  Telemetry: token<Telemetry>('Telemetry'),
};
