import { expect } from 'chai';
import { register } from 'prom-client';

import { freePort } from '../../backend/server/postgres/free-port.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import { parseExposition, type Exposition } from '../support/prometheus-text.ts';
import {
  ADMIN_API,
  DEVICE_API,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import { startRedisServer } from '../../dev/redis/redis-server.ts';
import { waitFor } from '../../dev/wait-for.ts';

describe('Prometheus metrics', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  beforeEach(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 4);
  });

  afterEach(() => ota.close());

  const scrape = async (): Promise<Exposition> => parseExposition(await ota.plugin.metrics());

  it('count the polls, reports and jobs of a rollout', async () => {
    await fleet.poll(fleet.device);
    const id = await fleet.rollOut();
    await fleet.poll(fleet.device);
    await fleet.reports(fleet.device, id, 'downloading', 'installing');
    await fleet.reports(fleet.devices[1]!, id, 'failed');
    await fleet.report(fleet.devices[1]!, id, 'completed').expect(409);
    await fleet.reportAll([fleet.device, ...fleet.devices.slice(2)], id, 'completed');
    await fleet.until(id, ({ status }) => status === 'failed');

    const metrics = await scrape();
    expect(metrics.value('ota_polls_total', { answer: 'none' })).to.equal(1);
    expect(metrics.value('ota_polls_total', { answer: 'update' })).to.equal(1);
    const reports = (status: string, outcome: string) =>
      metrics.value('ota_reports_total', { status, outcome });
    expect(reports('downloading', 'accepted')).to.equal(1);
    expect(reports('installing', 'accepted')).to.equal(1);
    expect(reports('failed', 'accepted')).to.equal(1);
    expect(reports('completed', 'accepted')).to.equal(3);
    expect(reports('completed', 'stale_status')).to.equal(1);
    expect(metrics.value('ota_report_commit_seconds_count')).to.equal(6);
    expect(metrics.value('ota_coalesced_batch_size_sum', { kind: 'reports' })).to.equal(7);
    expect(metrics.value('ota_coalesced_batch_size_sum', { kind: 'polls' })).to.equal(2);
    expect(metrics.value('ota_targets_finished_total', { status: 'completed' })).to.equal(3);
    expect(metrics.value('ota_targets_finished_total', { status: 'failed' })).to.equal(1);
    expect(metrics.value('ota_batches_released_total')).to.equal(1);
    expect(metrics.value('ota_targets_released_total')).to.equal(4);
    expect(metrics.value('ota_deployments_settled_total', { status: 'failed' })).to.equal(1);
    expect(metrics.value('ota_jobs_total', { job: 'release-batch', outcome: 'done' })).to.equal(1);
  });

  it('count requests by route and status, without ids', async () => {
    const { deployment_id: id } = await fleet.create();
    await fleet.get(`/deployments/${id}`).expect(200);
    await fleet.get(`/deployments/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`).expect(404);
    await ota.host.request.get(`${DEVICE_API}/check-update`).expect(401);
    await fleet.post(`/deployments/${id}/pause`).expect(409);
    await fleet.get('/nowhere').expect(404);
    const of = (area: string, method: string, route: string, status: string) => ({
      area,
      method,
      route,
      status,
    });
    await waitFor(
      async () => {
        const { value } = await scrape();
        const count = (labels: Record<string, string>) => value('ota_http_requests_total', labels);
        return (
          count(of('admin', 'POST', '/deployments', '201')) === 1 &&
          count(of('admin', 'GET', '/deployments/:id', '200')) === 1 &&
          count(of('admin', 'GET', '/deployments/:id', '404')) === 1 &&
          count(of('admin', 'POST', '/deployments/:id/pause', '409')) === 1 &&
          count(of('admin', 'GET', 'none', '404')) === 1 &&
          count(of('device', 'GET', '/check-update', '401')) === 1
        );
      },
      { describe: async () => [...(await scrape()).samples.keys()].join('\n') },
    );
    expect([...(await scrape()).samples.keys()].join()).not.to.include(id);
  });

  it('show the open event streams, the connection pool and the queue', async () => {
    const stream = await EventStreamReader.open(
      `${ota.host.baseUrl}${ADMIN_API}/stream`,
      fleet.admin,
    );
    await waitFor(async () => (await scrape()).value('ota_event_stream_clients') === 1, {
      describe: 'one stream is open',
    });
    const held = await ota.knex.transaction();
    const metrics = await scrape();
    await held.rollback();
    expect(metrics.value('ota_database_pool_connections', { state: 'used' })).to.be.at.least(1);
    expect(metrics.value('ota_database_pool_max_connections')).to.equal(10);
    expect(metrics.value('ota_database_pool_waiting')).to.be.at.least(0);
    expect(metrics.value('ota_queue_jobs', { state: 'delayed' })).to.equal(0);
    for (const work of ['reconcile', 'sweep-timeouts']) {
      expect(metrics.value('ota_periodic_work_age_seconds', { work })).to.be.within(0, 60);
    }
    expect(metrics.value('ota_queue_lag_seconds')).to.be.within(0, 5);
    await stream.close();
    await waitFor(async () => (await scrape()).value('ota_event_stream_clients') === 0, {
      describe: 'no stream is open',
    });
  });

  it('start from zero on each activation and leave nothing in the global registry', async () => {
    await fleet.poll(fleet.device);
    await ota.plugin.deactivate();
    const second = await startServer(ota.knex);
    try {
      const metrics = parseExposition(await second.plugin.metrics());
      expect(metrics.value('ota_polls_total', { answer: 'none' })).to.equal(0);
      expect(metrics.families.size).to.be.greaterThan(10);
      expect(register.getMetricsAsArray()).to.deep.equal([]);
    } finally {
      await second.close();
    }
  });
});

describe('Prometheus metrics during a queue outage', () => {
  it('are available and count the failure', async function () {
    const redis = await startRedisServer(await freePort());
    if (redis === null) return this.skip();
    const ota = await startOta({ redisUrl: redis.url });
    try {
      await redis.stop();
      const metrics = parseExposition(await ota.plugin.metrics());
      expect(metrics.value('ota_scrape_failures_total', { source: 'queue' })).to.equal(1);
      expect(Number.isNaN(metrics.value('ota_queue_lag_seconds'))).to.equal(true);
      expect(metrics.samples.has('ota_queue_jobs{state="waiting"}')).to.equal(false);
      expect(metrics.value('ota_database_pool_max_connections')).to.equal(10);
    } finally {
      await ota.close();
    }
  });
});
