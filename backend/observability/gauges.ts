/** Gauges, which are read at each scrape (docs/monitoring.md, Metrics). */
import type { PrometheusTelemetry } from './prometheus-telemetry.ts';

/** The jobs in the queue by state, the same for all processes. */
export interface QueueFigures {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** Seconds by which the oldest waiting job is overdue; 0: none is. */
  lagSeconds: number;
}

/** The connections of the host's pool. */
export interface PoolFigures {
  used: number;
  free: number;
  max: number;
  /** Queries waiting for a connection. */
  waiting: number;
}

export interface GaugeSources {
  queue(): Promise<QueueFigures>;
  pool(): PoolFigures;
  /** Open event streams of this process. */
  streams(): number;
  /** Seconds since any process last completed each periodic work. */
  periodicWork(): Promise<Map<string, number>>;
}

/** Registers the gauges. */
export function addGauges(telemetry: PrometheusTelemetry, sources: GaugeSources): void {
  const jobs = telemetry.gauge('ota_queue_jobs', 'Jobs in the queue, by state', ['state']);
  const lag = telemetry.gauge(
    'ota_queue_lag_seconds',
    'How long the oldest waiting job is overdue',
  );
  telemetry.onScrape({
    name: 'queue',
    async read() {
      // Reset first: if the queue is unavailable, old values would look healthy.
      jobs.reset();
      lag.set(NaN);
      const { lagSeconds, ...states } = await sources.queue();
      for (const [state, count] of Object.entries(states)) jobs.set({ state }, count);
      lag.set(lagSeconds);
    },
  });

  const connections = telemetry.gauge(
    'ota_database_pool_connections',
    'Connections of the pool, by state',
    ['state'],
  );
  const limit = telemetry.gauge(
    'ota_database_pool_max_connections',
    'Maximum number of connections in the pool',
  );
  const waiting = telemetry.gauge('ota_database_pool_waiting', 'Queries waiting for a connection');
  telemetry.onScrape({
    name: 'pool',
    read() {
      const figures = sources.pool();
      connections.set({ state: 'used' }, figures.used);
      connections.set({ state: 'free' }, figures.free);
      limit.set(figures.max);
      waiting.set(figures.waiting);
    },
  });

  const ages = telemetry.gauge(
    'ota_periodic_work_age_seconds',
    'Seconds since periodic work last completed',
    ['work'],
  );
  telemetry.onScrape({
    name: 'periodic_work',
    async read() {
      ages.reset();
      for (const [work, age] of await sources.periodicWork()) ages.set({ work }, age);
    },
  });

  const streams = telemetry.gauge('ota_event_stream_clients', 'Open event streams');
  telemetry.onScrape({ name: 'streams', read: () => streams.set(sources.streams()) });
}
