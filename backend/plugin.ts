import { Router } from 'express';
import type { Container } from 'inversify';
import { PeriodicWork } from '../jobs/periodic-work.ts';
import { createProcessors, instrumentProcessors, instrumentTask } from '../jobs/processors.ts';
import { locateQueue, type QueueLocation } from '../jobs/queue-backend.ts';
import { RolloutQueue } from '../jobs/rollout-queue.ts';
import { RolloutWorkers } from '../jobs/workers.ts';
import { migrateUp } from '../migrations/migrator.ts';
import { readConfig, type PluginConfig } from './config.ts';
import { createContainer } from './container.ts';
import { ControlController } from './deployments/control/control.controller.ts';
import { CreationController } from './deployments/creation/creation.controller.ts';
import { ReadingController } from './deployments/reading/reading.controller.ts';
import { RolloutService } from './deployments/rollout/rollout.service.ts';
import { TimeoutSweep } from './deployments/rollout/timeout-sweep.service.ts';
import { requireWritableTables } from './database/write-probe.ts';
import { KnexLeases } from './database/leases.ts';
import { createPluginKnex } from './database/plugin-knex.ts';
import { poolFigures } from './database/pool-figures.ts';
import { DeviceController } from './devices/device.controller.ts';
import { LastPolls } from './devices/last-poll.service.ts';
import { ExplanationController } from './fleet/explanation.controller.ts';
import { FleetController } from './fleet/fleet.controller.ts';
import { checkHealth } from './health.ts';
import type { Activate, HostContext } from './host-contract.ts';
import { createAdminRouter } from './api/admin.router.ts';
import { DeviceGateway } from './api/device-gateway.ts';
import { DeviceRateLimit } from './api/device-rate-limit.ts';
import { createDevicePreRouter } from './api/device-pre-router.ts';
import { createDeviceRouter, deviceRoutes } from './api/device.router.ts';
import { LoadLimit } from './api/load-limit.ts';
import { ReadinessGate } from './http/readiness-gate.ts';
import { problemHandler } from './http/problem.ts';
import { requestIds } from './http/request-id.ts';
import { requestTelemetry } from './http/request-telemetry.ts';
import { Teardown } from './kernel/teardown.ts';
import { readPage } from './manifest.ts';
import { MetricsController } from './metrics/metrics.controller.ts';
import { addGauges } from './observability/gauges.ts';
import { serializeError } from './observability/error-serializer.ts';
import { PrometheusTelemetry } from './observability/prometheus-telemetry.ts';
import { CensusService } from './fleet/census.service.ts';
import { EventStreams } from './live-updates/event-streams.ts';
import { requireNotifications } from './database/listen-probe.ts';
import { StreamController } from './live-updates/stream.controller.ts';
import { ChangeFeed } from './deployments/model/change-feed.ports.ts';
import { Telemetry } from './observability/telemetry.ports.ts';

/**
 * The entry point that the host calls (`host-contract.ts`). If activation fails, everything is undone, as by
 * `deactivate`. Rejects with `invalid_request` if the configuration is not valid.
 */
export const activate: Activate = async (context) => {
  const serializers = { err: serializeError };
  const host = { ...context, logger: context.logger.child({}, { serializers }) };
  const teardown = new Teardown(host.logger);
  try {
    const gate = new ReadinessGate(host.logger);
    if (host.role !== 'worker') mountGate(host, gate, teardown);
    const config = readConfig(host.config);
    await requireNotifications(host.database.knex);
    const knex = createPluginKnex(host.database.knex);
    if (config.migrate) await migrateUp(host.database.knex);
    await requireWritableTables(knex, host.logger);
    const location = await locateQueue(host.redis, host.database.knex, config.queue_prefix);
    const queue = new RolloutQueue(location, host.logger);
    teardown.add('queue', () => queue.close());
    await queue.open();
    const telemetry = new PrometheusTelemetry();
    const container = createContainer({ host, knex, config, jobs: queue, telemetry });
    const leases = new KnexLeases(knex);
    addGauges(telemetry, {
      queue: () => queue.figures(),
      pool: () => poolFigures(host.database.knex),
      streams: () => container.get(EventStreams).size,
      periodicWork: () => leases.ages(),
    });
    teardown.add('censuses', () => container.get(CensusService).close());
    teardown.add('last polls', () => container.get(LastPolls).close());
    teardown.add('change feed', () => container.get(ChangeFeed).close());

    if (host.role !== 'worker') serve(host, config, container, teardown);
    if (host.role !== 'api')
      await work(host, config, container, { location, queue, leases }, teardown);
    gate.open();
    teardown.add('readiness gate', () => gate.close());
    return {
      health: () => checkHealth(knex, queue),
      metrics: () => telemetry.exposition(),
      deactivate: () => teardown.run(),
    };
  } catch (error) {
    await teardown.run();
    throw error;
  }
};

/** Mounted first and removed last, so that requests in between get a 503 and never a 404. */
function mountGate(host: HostContext, gate: ReadinessGate, teardown: Teardown): void {
  for (const area of ['admin', 'device'] as const) {
    teardown.add(`gate of the ${area} routes`, host.http.mount(area, Router().use(gate.handler)));
  }
}

/** Mounts routes and page: roles `api` and `all`. */
function serve(
  host: HostContext,
  config: PluginConfig,
  container: Container,
  teardown: Teardown,
): void {
  const telemetry = container.get(Telemetry);
  const errors = problemHandler(host.logger);
  const admin = createAdminRouter(host.auth, {
    creation: container.get(CreationController),
    reading: container.get(ReadingController),
    control: container.get(ControlController),
    fleet: container.get(FleetController),
    explanation: container.get(ExplanationController),
    metrics: container.get(MetricsController),
    stream: container.get(StreamController),
  });
  const streams = container.get(EventStreams);

  teardown.add('event streams', () => streams.close());
  teardown.add(
    'shutdown callback',
    host.lifecycle.onShutdown(() => streams.close()),
  );
  const admins = Router().use(
    requestIds,
    requestTelemetry('admin', telemetry, host.logger),
    admin,
    errors,
  );
  teardown.add('admin routes', host.http.mount('admin', admins));
  serveDevices(host, config, container, teardown);
  teardown.add('page', host.navigation.addPage(readPage()));
}

function serveDevices(
  host: HostContext,
  config: PluginConfig,
  container: Container,
  teardown: Teardown,
): void {
  const gateway = new DeviceGateway({
    auth: host.auth,
    rateLimit: new DeviceRateLimit(config.device_requests_per_minute),
    loadLimit: new LoadLimit({
      maxPolls: config.device_requests_at_once,
      pollIntervalSeconds: config.poll_interval_seconds,
    }),
    telemetry: container.get(Telemetry),
    logger: host.logger,
  });
  const routes = deviceRoutes(container.get(DeviceController));
  const router = createDeviceRouter(routes, gateway, host.logger);
  teardown.add('device routes', host.http.mount('device', router));
  if (host.http.preRouter) {
    const handler = createDevicePreRouter(routes, gateway);
    teardown.add('device pre-router', host.http.preRouter('device', handler));
  }
}

/** Starts queue processors and periodic work: roles `worker` and `all`. */
async function work(
  host: HostContext,
  config: PluginConfig,
  container: Container,
  { location, queue, leases }: { location: QueueLocation; queue: RolloutQueue; leases: KnexLeases },
  teardown: Teardown,
): Promise<void> {
  const rollout = container.get(RolloutService);
  const workers = new RolloutWorkers(
    location,
    queue,
    instrumentProcessors(createProcessors(rollout), container.get(Telemetry)),
    { concurrency: config.worker_concurrency },
    host.logger,
  );
  teardown.add('workers', () => workers.close());
  await workers.open();
  const periodic = new PeriodicWork(
    [
      {
        name: 'reconcile',
        everySeconds: config.reconcile_seconds,
        run: () => rollout.reconcile(),
      },
      {
        name: 'sweep-timeouts',
        everySeconds: config.timeout_sweep_seconds,
        run: () => container.get(TimeoutSweep).run(),
      },
    ].map((task) => instrumentTask(task, container.get(Telemetry))),
    leases,
    host.logger,
  );
  teardown.add('periodic work', () => periodic.close());
  periodic.start();
}
