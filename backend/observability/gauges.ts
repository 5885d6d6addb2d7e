/** Figures that are so now, read when somebody asks for metrics. */
import type { PrometheusTelemetry } from './prometheus-telemetry.ts';

/** Jobs of the queue by state, in all processes together. */
export interface QueueFigures {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** Seconds since the oldest job that nobody has taken was due; 0: none is overdue. */
  lagSeconds: number;
}

/** The host's connection pool, as the plugin's queries meet it. */
export interface PoolFigures {
  used: number;
  free: number;
  max: number;
  /** Queries that wait for a connection. */
  waiting: number;
}

export interface GaugeSources {
  queue(): Promise<QueueFigures>;
  pool(): PoolFigures;
  /** Open event streams of this process. */
  streams(): number;
  /** Seconds since each periodic work was last done to its end, by whichever process. */
  periodicWork(): Promise<Map<string, number>>;
}

export function addGauges(telemetry: PrometheusTelemetry, sources: GaugeSources): void {
  const jobs = telemetry.gauge('ota_queue_jobs', 'Jobs in the queue, by state', ['state']);
  const lag = telemetry.gauge(
    'ota_queue_lag_seconds',
    'How long the oldest job that nobody has taken is overdue',
  );
  telemetry.onScrape({
    name: 'queue',
    async read() {
      // An old figure of a queue that is away would say that all is well.
      jobs.reset();
      lag.set(NaN);
      const { lagSeconds, ...states } = await sources.queue();
      for (const [state, count] of Object.entries(states)) jobs.set({ state }, count);
      lag.set(lagSeconds);
    },
  });

  const connections = telemetry.gauge(
    'ota_database_pool_connections',
    'Open connections of the pool, by state',
    ['state'],
  );
  const limit = telemetry.gauge(
    'ota_database_pool_max_connections',
    'Connections the pool may open',
  );
  const waiting = telemetry.gauge(
    'ota_database_pool_waiting',
    'Queries that wait for a connection of the pool',
  );
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
    'How long ago what comes again by itself was last done to its end',
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
