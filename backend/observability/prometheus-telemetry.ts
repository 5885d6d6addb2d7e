import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';
import { DomainError } from '../kernel/errors.ts';
import type { CompletedRequest, Telemetry } from './telemetry.ports.ts';

/** Buckets in seconds: from one statement on an idle machine to the timeout of a client. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const FINISHED_STATUSES: TargetStatus[] = ['completed', 'failed', 'rolled_back', 'skipped'];
const SETTLED_STATUSES: DeploymentStatus[] = ['completed', 'failed', 'paused'];
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** Sets gauges at each scrape. A failure is counted and does not affect other readers. */
export interface ScrapeReader {
  name: string;
  read(): Promise<void> | void;
}

/**
 * The metrics of one activation of the plugin, in a registry of their own, so that nothing remains after `deactivate`.
 * Names and meanings: docs/monitoring.md, Metrics.
 */
export class PrometheusTelemetry implements Telemetry {
  readonly #registry = new Registry();
  readonly #readers: ScrapeReader[] = [];
  readonly #children = new Map<string, { count(): void; time(seconds: number): void }>();

  readonly #polls = this.#counter('ota_polls_total', 'Polls answered', ['answer']);
  readonly #reports = this.#counter('ota_reports_total', 'Status reports of devices', [
    'status',
    'outcome',
  ]);
  readonly #reportSeconds = this.#histogram(
    'ota_report_commit_seconds',
    'Time from the arrival of a report to its commit',
    [],
    SECONDS,
  );
  readonly #batchSizes = this.#histogram(
    'ota_coalesced_batch_size',
    'Calls that shared one database round trip',
    ['kind'],
    BATCH_SIZES,
  );
  readonly #lastPollsDropped = this.#counter(
    'ota_last_polls_dropped_total',
    'Devices whose last poll was not recorded, because the database was unavailable for too long',
    [],
  );
  readonly #targetsFinished = this.#counter(
    'ota_targets_finished_total',
    'Targets finished by a report, a timeout or a newer deployment',
    ['status'],
  );
  readonly #batchesReleased = this.#counter('ota_batches_released_total', 'Batches released', []);
  readonly #targetsReleased = this.#counter(
    'ota_targets_released_total',
    'Targets in released batches',
    [],
  );
  readonly #deploymentsSettled = this.#counter(
    'ota_deployments_settled_total',
    'Deployments that completed, failed, or were paused by the failure threshold',
    ['status'],
  );
  readonly #requests = this.#counter('ota_http_requests_total', 'Requests answered', [
    'area',
    'method',
    'route',
    'status',
  ]);
  readonly #requestSeconds = this.#histogram(
    'ota_http_request_duration_seconds',
    'Time from the arrival of a request to the end of its response, without event streams',
    ['area', 'method', 'route'],
    SECONDS,
  );
  readonly #jobs = this.#counter('ota_jobs_total', 'Jobs run by this process', ['job', 'outcome']);
  readonly #jobSeconds = this.#histogram(
    'ota_job_duration_seconds',
    'Duration of jobs',
    ['job'],
    SECONDS,
  );
  readonly #failedReaders = this.#counter(
    'ota_scrape_failures_total',
    'Scrapes that could not read a source',
    ['source'],
  );
  readonly #pollBatches = this.#batchSizes.labels('polls');
  readonly #reportBatches = this.#batchSizes.labels('reports');
  readonly #pollAnswers = {
    none: this.#polls.labels('none'),
    update: this.#polls.labels('update'),
    rollback: this.#polls.labels('rollback'),
  };

  constructor() {
    // Start at 0, not absent, so that alerts see the first increment.
    for (const status of FINISHED_STATUSES) this.#targetsFinished.inc({ status }, 0);
    for (const status of SETTLED_STATUSES) this.#deploymentsSettled.inc({ status }, 0);
  }

  /** Creates a gauge, which a reader sets. */
  gauge<Label extends string = never>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  /** Adds a reader, which runs before each exposition. */
  onScrape(reader: ScrapeReader): void {
    this.#readers.push(reader);
    this.#failedReaders.inc({ source: reader.name }, 0);
  }

  /** All metrics in the Prometheus text format 0.0.4. Does not reject if a source is unavailable. */
  async exposition(): Promise<string> {
    await Promise.all(
      this.#readers.map(async ({ name, read }) => {
        try {
          await read();
        } catch {
          this.#failedReaders.inc({ source: name });
        }
      }),
    );
    return this.#registry.metrics();
  }

  polled(answer: 'none' | 'update' | 'rollback'): void {
    this.#pollAnswers[answer].inc();
  }

  async trackReport<T>(status: TargetStatus, outcome: Promise<T>): Promise<T> {
    const since = performance.now();
    try {
      const value = await outcome;
      this.#reportSeconds.observe((performance.now() - since) / 1_000);
      this.#reports.inc({ status, outcome: 'accepted' });
      return value;
    } catch (error) {
      const code = error instanceof DomainError ? error.code : 'error';
      this.#reports.inc({ status, outcome: code });
      throw error;
    }
  }

  coalesced(kind: 'polls' | 'reports', calls: number): void {
    (kind === 'polls' ? this.#pollBatches : this.#reportBatches).observe(calls);
  }

  lastPollsDropped(devices: number): void {
    this.#lastPollsDropped.inc(devices);
  }

  targetsFinished(statuses: TargetStatus[]): void {
    for (const status of statuses) this.#targetsFinished.inc({ status });
  }

  batchReleased(targets: number): void {
    this.#batchesReleased.inc();
    this.#targetsReleased.inc(targets);
  }

  deploymentSettled(status: DeploymentStatus): void {
    this.#deploymentsSettled.inc({ status });
  }

  requestCompleted({ area, method, route, status, seconds }: CompletedRequest): void {
    const key = `${area} ${method} ${route} ${status}`;
    let child = this.#children.get(key);
    if (!child) {
      const count = this.#requests.labels(area, method, route, String(status));
      const time = this.#requestSeconds.labels(area, method, route);
      child = {
        count: () => count.inc(),
        time: route.endsWith('/stream') ? () => undefined : (value) => time.observe(value),
      };
      this.#children.set(key, child);
    }
    child.count();
    child.time(seconds);
  }

  jobFinished(job: string, outcome: 'done' | 'failed', seconds: number): void {
    this.#jobs.inc({ job, outcome });
    this.#jobSeconds.observe({ job }, seconds);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }
}
