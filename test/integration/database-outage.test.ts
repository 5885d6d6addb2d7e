import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import knexFactory, { type Knex } from 'knex';

import type { Problem } from '../../backend/contract/problem.ts';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../backend/server/postgres/embedded-postgres.ts';
import { createHostTables } from '../../dev/host/host-schema.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import {
  ADMIN_API,
  DEVICE_API,
  createFleet,
  startServer,
  type Fleet,
} from '../support/ota-server.ts';
import { waitFor } from '../../dev/wait-for.ts';

const RECOVERY = { timeout: 15_000 };

describe('F65 a database outage', function () {
  this.timeout(40_000);
  let dataDir: string;
  let postgres: EmbeddedPostgres;
  let knex: Knex;
  let server: Awaited<ReturnType<typeof startServer>>;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    dataDir = await mkdtemp(path.join(tmpdir(), 'ops-center-outage-'));
    postgres = await startEmbeddedPostgres({ dataDir, persistent: true });
    knex = knexFactory({
      client: 'pg',
      connection: postgres.connectionString(),
      pool: { min: 0, max: 10 },
      // Knex would print the expected connection errors.
      log: { warn: () => undefined, error: () => undefined },
    });
    await createHostTables(knex);
    server = await startServer(knex, { config: { reconcile_seconds: 1 } });
    fleet = await createFleet({ knex, host: server.host }, 12);
    id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 4 });
  });

  after(async () => {
    await server.close();
    await knex.destroy();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function restart(): Promise<void> {
    postgres = await startEmbeddedPostgres({ dataDir, persistent: true, port: postgres.port });
  }

  function routes() {
    const { host, device, admin } = fleet;
    return [
      host.as(admin).get(`${ADMIN_API}/deployments`),
      host.as(admin).get(`${ADMIN_API}/deployments/${id}`),
      host.as(admin).post(`${ADMIN_API}/deployments/${id}/pause`),
      host.as(admin).get(`${ADMIN_API}/metrics`),
      host.as(admin).get(`${ADMIN_API}/stream`),
      host.as(device).get(`${DEVICE_API}/check-update?device_id=${device.id}`),
      fleet.report(device, id, 'completed'),
    ];
  }

  it('makes every route respond with a 503 with Retry-After until the database is back', async () => {
    const { baseUrl } = fleet.host;
    const stream = await EventStreamReader.open(
      `${baseUrl}${ADMIN_API}/deployments/${id}/stream`,
      fleet.admin,
    );
    await stream.next('deployment');
    await postgres.stop('fast');
    try {
      for (const answer of await Promise.all(routes())) {
        const problem = answer.body as Problem;
        expect([answer.status, problem.code]).to.deep.equal([503, 'database_unavailable']);
        expect(Number(answer.headers['retry-after'])).to.be.greaterThan(0);
        expect(answer.headers['content-type']).to.match(/^application\/problem\+json/);
        expect(JSON.stringify(problem)).not.to.match(/ECONN|127\.0\.0\.1|connect|terminat/i);
      }
      const health = await server.plugin.health();
      expect([health.healthy, health.checks['database']?.healthy]).to.deep.equal([false, false]);
    } finally {
      await restart();
    }
    await waitFor(async () => (await server.plugin.health()).healthy, {
      ...RECOVERY,
      describe: 'the plugin is healthy again',
    });
    const detail = await fleet.detail(id);
    expect([detail.status, detail.progress.completed]).to.deep.equal(['in_progress', 0]);
    await stream.next('reset');
    const seen = stream.messages.length;
    await fleet.reports(
      fleet.devices.find(({ id: device }) =>
        detail.devices.some((target) => target.device_id === device && target.batch === 1),
      )!,
      id,
      'downloading',
    );
    // Until the change feed is connected again, clients only get a reset.
    await waitFor(
      () =>
        stream.messages.slice(seen).some(({ event }) => event === 'device' || event === 'reset'),
      { ...RECOVERY, describe: 'the stream shows the report' },
    );
    await stream.close();
  });

  it('does not stop jobs for good', async () => {
    await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
    await fleet.untilReleased(id, 8, RECOVERY);
  });

  it('loses no accepted report when PostgreSQL crashes', async () => {
    const next = await fleet.rollOut({ target_version: 'v9.0.0' });
    const sent = fleet.devices.map(async (device) => {
      try {
        return { device, status: (await fleet.report(device, next, 'downloading')).status };
      } catch {
        return { device, status: 0 };
      }
    });
    await Promise.any(sent);
    await postgres.stop('immediate');
    const answers = await Promise.all(sent);
    await restart();
    await waitFor(() => fleet.detail(next), { ...RECOVERY, describe: 'the database is back' });
    for (const { device, status } of answers) {
      expect(status).to.be.oneOf([200, 503]);
      const target = await fleet.target(next, device);
      if (status === 200) expect(target.status).to.equal('downloading');
    }
    const { status_breakdown: counted } = await fleet.detail(next);
    const targets = await fleet.targets(next);
    expect(counted.downloading).to.equal(
      targets.filter((target) => target.status === 'downloading').length,
    );
  });
});
