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
import { waitFor } from '../../dev/wait-for.ts';
import {
  ADMIN_API,
  deploymentRequest,
  openFleet,
  openServer,
  openStage,
  type Fleet,
  type Stage,
} from '../support/ota-scenario.ts';

describe('a database that does not do what it is asked', () => {
  let stage: Stage;
  let fleet: Fleet;
  let database: string;

  beforeEach(async () => {
    stage = await openStage();
    fleet = await openFleet(stage, 3);
    database = new URL(stage.database.connectionString).pathname.slice(1);
  });
  afterEach(async () => {
    await stage.close();
  });

  /** By a session that is not one of the plugin's. */
  async function administer(...statements: string[]): Promise<void> {
    const server = new URL(stage.database.connectionString);
    server.pathname = '/postgres';
    const admin = knexFactory({ client: 'pg', connection: server.href });
    for (const statement of statements) await admin.raw(statement);
    await admin.raw(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`,
    );
    await admin.destroy();
  }

  function expect503(answer: Response, says: RegExp): void {
    expect(answer.status, JSON.stringify(answer.body)).to.equal(503);
    expect(answer.get('Retry-After')).to.match(/^\d+$/);
    const { code, detail } = answer.body as Problem;
    expect(code).to.equal('database_unavailable');
    expect(detail).to.match(says);
  }

  it('G05 read-only: 503 for whatever writes, readiness says so, and all is well afterwards', async () => {
    const id = await fleet.roll();
    await administer(`ALTER DATABASE "${database}" SET default_transaction_read_only = on`);
    let detail: string | undefined;
    await waitFor(
      async () => {
        ({ detail } = (await stage.plugin.health()).checks['database'] as { detail?: string });
        return detail === 'The database is read-only.';
      },
      { describe: () => `readiness says that the database is read-only: ${detail}` },
    );
    for (let times = 0; times < 5; times += 1) {
      expect503(await fleet.report(fleet.device, id, 'downloading'), /read-only/);
      expect503(await fleet.post(`/deployments/${id}/pause`), /read-only/);
      expect503(await fleet.post('/deployments', deploymentRequest()), /read-only/);
    }
    // Reading goes on.
    expect((await fleet.get(`/deployments/${id}`)).status).to.equal(200);
    expect(await fleet.offered(fleet.device)).to.equal(id);

    await administer(`ALTER DATABASE "${database}" RESET default_transaction_read_only`);
    // Sessions of then are not used again.
    for (let times = 0; times < 20; times += 1) {
      const answer = await fleet.report(fleet.device, id, 'downloading');
      if (answer.status === 200) break;
      expect503(answer, /does not respond/);
    }
    await fleet.reports(fleet.device, id, 'downloading', 'installing', 'completed');
    expect((await stage.plugin.health()).healthy).to.equal(true);
  });

  it('G05 a lock that is held for too long, and a statement that takes too long: 503', async () => {
    const id = await fleet.roll();
    const blocker = await stage.knex.transaction();
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

  it('G03 one deployment that is locked holds no report of another up', async () => {
    const locked = await fleet.roll();
    const other = await openFleet(stage, 3);
    const free = await other.roll();
    const blocker = await stage.knex.transaction();
    await blocker('ota_deployments').where({ id: locked }).forUpdate();
    try {
      const stuck = fleet.devices.map((device) =>
        fleet.report(device, locked, 'downloading').then(),
      );
      await other.all(other.devices, free, 'completed');
      expect((await other.detail(free)).status).to.equal('completed');
      for (const answer of await Promise.all(stuck))
        expect503(answer, /Another request is changing/);
    } finally {
      await blocker.rollback();
    }
  }).timeout(20_000);

  it('G04 a report whose row PostgreSQL refuses fails alone', async () => {
    const many = await openFleet(stage, 40);
    const id = await many.roll();
    // Something of the host's refuses one device.
    const bad = many.devices[17]!;
    await stage.knex.raw(
      `ALTER TABLE ota_deployment_devices ADD CONSTRAINT refused CHECK (device_id <> '${bad.id}' OR status = 'pending')`,
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

  it('G21 settings of the database change no result', async () => {
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
    await administer(
      ...Object.entries(settings).map(
        ([name, value]) => `ALTER DATABASE "${database}" SET ${name} = '${value}'`,
      ),
    );
    const server = await openServer(stage.knex);
    try {
      const there = fleet.through(server.host);
      const before = Date.now();
      const id = await there.roll();
      await there.all(there.devices.slice(0, 2), id, 'installing');
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

describe('a connection that nobody answers on any more', function () {
  this.timeout(60_000);

  it('G03 holds neither polls nor reports up for longer than its limit', async () => {
    const stage = await openStage();
    const proxy = await StuckProxy.open(stage.database.connectionString);
    const knex: Knex = knexFactory({
      client: 'pg',
      connection: proxy.url,
      pool: { min: 0, max: 4 },
    });
    // What the host asks its database by itself is not ours to limit.
    const host = await createFakeHost({ knex: stage.knex, role: 'api' });
    const plugin = await activate({
      ...host.context,
      database: { ...host.context.database, knex },
    });
    try {
      const fleet = await openFleet(stage, 4);
      const id = await fleet.roll();
      const there = fleet.through(host);
      await there.reports(there.devices[0]!, id, 'downloading');
      // A connection for each of the two that come next.
      await Promise.all([1, 2].map(() => knex.raw('SELECT pg_sleep(0.1)')));
      proxy.stick();
      const stuck = await Promise.all([
        there.host
          .as(there.devices[1]!)
          .get(`/api/v1/ota/check-update?device_id=${there.devices[1]!.id}`),
        there.report(there.devices[2]!, id, 'downloading'),
      ]);
      expect(stuck.map(({ status }) => status)).to.deep.equal([503, 503]);
      // New connections are answered; those of then are given up.
      await waitFor(
        async () => (await there.report(there.devices[2]!, id, 'downloading')).status === 200,
        {
          timeout: 20_000,
          describe: 'reports are taken again',
        },
      );
      expect(await there.offered(there.devices[1]!)).to.equal(id);
    } finally {
      proxy.free();
      await plugin.deactivate();
      await host.close();
      await knex.destroy();
      await proxy.close();
      await stage.close();
    }
  });
});

describe('a listening connection that has gone deaf', function () {
  this.timeout(90_000);

  it('G06 is noticed without an end, and replaced: pages are told what they have missed', async () => {
    const stage = await openStage();
    const proxy = await StuckProxy.open(stage.database.connectionString);
    const knex: Knex = knexFactory({
      client: 'pg',
      connection: proxy.url,
      pool: { min: 0, max: 4 },
    });
    const host = await createFakeHost({ knex: stage.knex, role: 'api' });
    const plugin = await activate({
      ...host.context,
      database: { ...host.context.database, knex },
    });
    let stream: EventStreamReader | undefined;
    try {
      const fleet = await openFleet(stage, 2);
      const id = await fleet.roll();
      stream = await EventStreamReader.open(
        `${host.baseUrl}${ADMIN_API}/deployments/${id}/stream`,
        fleet.admin,
      );
      await stream.next('deployment');
      proxy.stick();
      await fleet.reports(fleet.device, id, 'completed');
      const { messages } = stream;
      await waitFor(
        () =>
          messages.some(
            ({ event, data }) =>
              event === 'reset' || (event === 'progress' && data['completed'] === 1),
          ),
        { timeout: 60_000, describe: 'the stream tells of what it has missed' },
      );
    } finally {
      proxy.free();
      await stream?.close();
      await plugin.deactivate();
      await host.close();
      await knex.destroy();
      await proxy.close();
      await stage.close();
    }
  });
});

/** Passes bytes on to PostgreSQL until it is told to stick: from then on old connections say nothing more. */
class StuckProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #pairs: [Socket, Socket][];

  private constructor(url: string, server: Server, pairs: [Socket, Socket][]) {
    this.url = url;
    this.#server = server;
    this.#pairs = pairs;
  }

  static async open(databaseUrl: string): Promise<StuckProxy> {
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
    return new StuckProxy(url.href, server, pairs);
  }

  stick(): void {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
    }
  }

  free(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  async close(): Promise<void> {
    this.free();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
