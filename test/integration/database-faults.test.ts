import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';
import knexFactory, { type Knex } from 'knex';
import type { Response } from 'supertest';

import type { Problem } from '../../backend/contract/problem.ts';
import { activate } from '../../backend/plugin.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import { createFakeHost } from '../support/fake-host.ts';
import { administer } from '../support/test-database.ts';
import { waitFor } from '../../dev/wait-for.ts';
import {
  ADMIN_API,
  deploymentRequest,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('database faults', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let database: string;

  beforeEach(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 3);
    database = new URL(ota.database.connectionString).pathname.slice(1);
  });
  afterEach(async () => {
    await ota.close();
  });

  /** Changes settings of the database, and ends its sessions so that new ones use them. */
  async function reconfigure(...statements: string[]): Promise<void> {
    await administer(
      ...statements,
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '${database}'`,
    );
    // The pool learns of the ended sessions one by one; a query on one of them would fail.
    const { max } = (ota.knex.client as { pool: { max: number } }).pool;
    await waitFor(
      () =>
        Promise.all(Array.from({ length: max }, () => ota.knex.raw('SELECT 1'))).then(
          () => true,
          () => false,
        ),
      { describe: 'the pool has new connections only' },
    );
  }

  function expect503(answer: Response, detailPattern: RegExp): void {
    expect(answer.status, JSON.stringify(answer.body)).to.equal(503);
    expect(answer.get('Retry-After')).to.match(/^\d+$/);
    const { code, detail } = answer.body as Problem;
    expect(code).to.equal('database_unavailable');
    expect(detail).to.match(detailPattern);
  }

  it('G05 a read-only database gives a 503 for writes, fails readiness, and recovers', async () => {
    const id = await fleet.rollOut();
    await reconfigure(`ALTER DATABASE "${database}" SET default_transaction_read_only = on`);
    let detail: string | undefined;
    await waitFor(
      async () => {
        ({ detail } = (await ota.plugin.health()).checks['database'] as { detail?: string });
        return detail === 'The database is read-only.';
      },
      { describe: () => `readiness reports a read-only database; now ${detail}` },
    );
    for (let times = 0; times < 5; times += 1) {
      expect503(await fleet.report(fleet.device, id, 'downloading'), /read-only/);
      expect503(await fleet.post(`/deployments/${id}/pause`), /read-only/);
      expect503(await fleet.post('/deployments', deploymentRequest()), /read-only/);
    }
    // Reads still work.
    expect((await fleet.get(`/deployments/${id}`)).status).to.equal(200);
    expect(await fleet.offered(fleet.device)).to.equal(id);

    await reconfigure(`ALTER DATABASE "${database}" RESET default_transaction_read_only`);
    // The plugin replaces its sessions from that time.
    for (let times = 0; times < 20; times += 1) {
      const answer = await fleet.report(fleet.device, id, 'downloading');
      if (answer.status === 200) break;
      expect503(answer, /does not respond/);
    }
    await fleet.reports(fleet.device, id, 'downloading', 'installing', 'completed');
    expect((await ota.plugin.health()).healthy).to.equal(true);
  });

  it('G05 a lock that is held too long gives a 503', async () => {
    const id = await fleet.rollOut();
    const blocker = await ota.knex.transaction();
    await blocker('ota_deployments').where({ id }).forUpdate();
    try {
      const [report, pause] = await Promise.all([
        fleet.report(fleet.device, id, 'downloading'),
        fleet.post(`/deployments/${id}/pause`),
      ]);
      expect503(report, /Another request is changing/);
      expect503(pause, /Another request is changing/);
    } finally {
      await blocker.rollback();
    }
    await fleet.reports(fleet.device, id, 'downloading');
  }).timeout(20_000);

  it('G03 a locked deployment does not delay reports for other deployments', async () => {
    const locked = await fleet.rollOut();
    const other = await createFleet(ota, 3);
    const free = await other.rollOut();
    const blocker = await ota.knex.transaction();
    await blocker('ota_deployments').where({ id: locked }).forUpdate();
    try {
      const stuck = fleet.devices.map((device) =>
        fleet.report(device, locked, 'downloading').then(),
      );
      await other.reportAll(other.devices, free, 'completed');
      expect((await other.detail(free)).status).to.equal('completed');
      for (const answer of await Promise.all(stuck))
        expect503(answer, /Another request is changing/);
    } finally {
      await blocker.rollback();
    }
  }).timeout(20_000);

  it('G04 a report that PostgreSQL rejects fails alone', async () => {
    const many = await createFleet(ota, 40);
    const id = await many.rollOut();
    // A constraint of the host rejects one device.
    const bad = many.devices[17]!;
    await ota.knex.raw(
      `ALTER TABLE ota_deployment_devices ADD CONSTRAINT rejected CHECK (device_id <> '${bad.id}' OR status = 'pending')`,
    );
    const answers = await Promise.all(
      many.devices.map((device) => many.report(device, id, 'completed').then()),
    );
    const failed = answers.flatMap(({ status }, index) =>
      status === 200 ? [] : [[index, status]],
    );
    expect(failed).to.deep.equal([[17, 500]]);
    const { progress } = await many.detail(id);
    expect(progress).to.include({ completed: 39, pending: 1 });
  });

  it('G21 database settings do not change results', async () => {
    const settings = {
      datestyle: 'German, DMY',
      intervalstyle: 'sql_standard',
      bytea_output: 'escape',
      extra_float_digits: '-5',
      default_transaction_isolation: 'serializable',
      default_transaction_deferrable: 'on',
      standard_conforming_strings: 'off',
      lc_messages: 'C',
      statement_timeout: '1min',
      timezone: 'Pacific/Kiritimati',
    };
    await reconfigure(
      ...Object.entries(settings).map(
        ([name, value]) => `ALTER DATABASE "${database}" SET ${name} = '${value}'`,
      ),
    );
    const server = await startServer(ota.knex);
    try {
      const there = fleet.through(server.host);
      const before = Date.now();
      const id = await there.rollOut();
      await there.reportAll(there.devices.slice(0, 2), id, 'installing');
      await there.reports(there.devices[0]!, id, 'completed');
      const { created_at, started_at } = await there.detail(id);
      for (const time of [created_at, started_at]) {
        expect(Math.abs(Date.parse(time ?? '') - before), String(time)).to.be.below(60_000);
      }
      const target = await there.target(id, there.devices[0]!);
      expect(Math.abs(Date.parse(target.completed_at ?? '') - before)).to.be.below(60_000);
      expect((await there.events(id)).map(({ at }) => Number.isNaN(Date.parse(at)))).to.not.include(
        true,
      );
      const { average_duration_seconds } = (await there.get('/metrics')).body as {
        average_duration_seconds: number;
      };
      expect(average_duration_seconds).to.be.within(0, 60);
    } finally {
      await server.close();
    }
  });
});

describe('a stalled database connection', function () {
  this.timeout(60_000);

  it('G03 delays polls and reports no longer than the time limit', async () => {
    const ota = await startOta();
    const proxy = await StallingProxy.open(ota.database.connectionString);
    const knex: Knex = knexFactory({
      client: 'pg',
      connection: proxy.url,
      pool: { min: 0, max: 4 },
    });
    // The host's own queries do not use the stalled connections.
    const host = await createFakeHost({ knex: ota.knex, role: 'api' });
    const plugin = await activate({
      ...host.context,
      database: { ...host.context.database, knex },
    });
    try {
      const fleet = await createFleet(ota, 4);
      const id = await fleet.rollOut();
      const there = fleet.through(host);
      await there.reports(there.devices[0]!, id, 'downloading');
      // Opens one connection for each of the next two requests.
      await Promise.all([1, 2].map(() => knex.raw('SELECT pg_sleep(0.1)')));
      proxy.stall();
      const stuck = await Promise.all([
        there.host
          .as(there.devices[1]!)
          .get(`/api/v1/ota/check-update?device_id=${there.devices[1]!.id}`),
        there.report(there.devices[2]!, id, 'downloading'),
      ]);
      expect(stuck.map(({ status }) => status)).to.deep.equal([503, 503]);
      // New connections work. The stalled ones are abandoned.
      await waitFor(
        async () => (await there.report(there.devices[2]!, id, 'downloading')).status === 200,
        {
          timeout: 20_000,
          describe: 'reports are accepted again',
        },
      );
      expect(await there.offered(there.devices[1]!)).to.equal(id);
    } finally {
      proxy.disconnect();
      await plugin.deactivate();
      await host.close();
      await knex.destroy();
      await proxy.close();
      await ota.close();
    }
  });
});

describe('a stalled LISTEN connection', function () {
  this.timeout(90_000);

  it('G06 is detected and replaced, and streams catch up', async () => {
    const ota = await startOta();
    const proxy = await StallingProxy.open(ota.database.connectionString);
    const knex: Knex = knexFactory({
      client: 'pg',
      connection: proxy.url,
      pool: { min: 0, max: 4 },
    });
    const host = await createFakeHost({ knex: ota.knex, role: 'api' });
    const plugin = await activate({
      ...host.context,
      database: { ...host.context.database, knex },
    });
    let stream: EventStreamReader | undefined;
    try {
      const fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      stream = await EventStreamReader.open(
        `${host.baseUrl}${ADMIN_API}/deployments/${id}/stream`,
        fleet.admin,
      );
      await stream.next('deployment');
      proxy.stall();
      await fleet.reports(fleet.device, id, 'completed');
      const { messages } = stream;
      await waitFor(
        () =>
          messages.some(
            ({ event, data }) =>
              event === 'reset' || (event === 'progress' && data['completed'] === 1),
          ),
        { timeout: 60_000, describe: 'the stream shows what it missed' },
      );
    } finally {
      proxy.disconnect();
      await stream?.close();
      await plugin.deactivate();
      await host.close();
      await knex.destroy();
      await proxy.close();
      await ota.close();
    }
  });
});

/** A TCP proxy in front of PostgreSQL that can stall its open connections without closing them. */
class StallingProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #pairs: [Socket, Socket][];

  private constructor(url: string, server: Server, pairs: [Socket, Socket][]) {
    this.url = url;
    this.#server = server;
    this.#pairs = pairs;
  }

  static async open(databaseUrl: string): Promise<StallingProxy> {
    const target = new URL(databaseUrl);
    const pairs: [Socket, Socket][] = [];
    const server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      client.on('error', () => upstream.destroy()).pipe(upstream);
      upstream.on('error', () => client.destroy()).pipe(client);
      client.on('close', () => upstream.destroy());
      pairs.push([client, upstream]);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(databaseUrl);
    url.port = String((server.address() as AddressInfo).port);
    return new StallingProxy(url.href, server, pairs);
  }

  stall(): void {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
    }
  }

  disconnect(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  async close(): Promise<void> {
    this.disconnect();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
