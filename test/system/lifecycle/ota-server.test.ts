/** ota-server as processes of the built program, beside the tables of the published Ops-Center. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

import { expect } from 'chai';
import { Redis } from 'ioredis';
import pg from 'pg';
import supertest from 'supertest';

import type { CreatedDeployment, DeploymentDetail } from '../../../backend/contract/admin-api.ts';
import type { Problem } from '../../../backend/contract/problem.ts';
import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { startRedisServer, type RedisServer } from '../../../dev/redis/redis-server.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { DatabaseRelay } from '../../support/database-relay.ts';
import { ADMIN_API, DEVICE_API, deploymentRequest } from '../../support/ota-server.ts';
import { OtaServerProcess } from '../../support/ota-server-process.ts';
import { newAuthToken } from '../../support/published-platform/enrolment-host.ts';
import {
  createMembers,
  openPlatformSession,
} from '../../support/published-platform/published-server.ts';
import { ROOT } from '../../support/repository.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { testPostgres } from '../../support/test-services.ts';

const METRICS_TOKEN = 'metrics-token-of-the-test';
const REDIS_PASSWORD = 'redis-password-of-the-test';
const FIELD = [1, 2, 3].map((n) => `00000000-0000-4000-8000-10000000000${n}`);
const DEVICES = 6;
/** A stop must not need the time after which it is given up. */
const PROMPT_MS = 4_000;
const RECOVERY = { timeout: 30_000 };

interface Readiness {
  status: string;
  checks: Record<string, { healthy: boolean; detail?: string }>;
}

describe('the process of ota-server', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let redis: RedisServer;
  let redisUrl: string;
  let cookie: string;
  let queuePrefix: string;
  let closings: (() => Promise<unknown>)[];
  let processes: OtaServerProcess[];
  /** Must not be in any output. */
  let secrets: string[];
  const tokens = new Map(FIELD.map((id) => [id, newAuthToken()]));

  before(async () => {
    await promisify(execFile)('npm', ['run', 'build'], { cwd: ROOT });
  });

  beforeEach(async function () {
    closings = [];
    processes = [];
    const started = await startRedis();
    if (!started) return this.skip();
    redis = started;
    redisUrl = protectedUrl(redis);
    closings.push(() => redis.stop());
    database = await createTestDatabase({ schema: 'published' });
    closings.push(() => database.drop());
    await createMembers(database.knex);
    cookie = await openPlatformSession(redisUrl);
    queuePrefix = `q_${randomBytes(6).toString('hex')}`;
    secrets = [
      METRICS_TOKEN,
      REDIS_PASSWORD,
      new URL(database.connectionString).password,
      cookie.split('=')[1] ?? '',
      ...tokens.values(),
    ];
  });

  afterEach(async () => {
    for (const one of processes) await one.kill();
    for (const close of closings.reverse()) await close();
    for (const { lines, output } of processes) {
      for (const line of lines) expect(JSON.parse(line)).to.include.keys('level', 'msg', 'time');
      for (const secret of secrets) expect(output).not.to.include(secret);
    }
  });

  async function startRedis(port?: number): Promise<RedisServer | null> {
    const server = await startRedisServer(port);
    if (!server) return null;
    const client = new Redis(server.url);
    await client.config('SET', 'requirepass', REDIS_PASSWORD);
    client.disconnect();
    return server;
  }

  function protectedUrl({ port }: { port: number }): string {
    return `redis://:${REDIS_PASSWORD}@127.0.0.1:${port}`;
  }

  function start(settings: Record<string, string> = {}): OtaServerProcess {
    const started = new OtaServerProcess({
      PORT: '0',
      DATABASE_URL: database.connectionString,
      REDIS_URL: redisUrl,
      OTA_SERVER_PUBLIC_URL: 'https://ops.example.com',
      OTA_SERVER_METRICS_TOKEN: METRICS_TOKEN,
      OTA_SERVER_LOG_LEVEL: 'trace',
      OTA_SERVER_ADMINS__PLATFORM__REDIS__URL: redisUrl,
      OTA_SERVER_OTA: JSON.stringify({ queue_prefix: queuePrefix, reconcile_seconds: 1 }),
      ...settings,
    });
    processes.push(started);
    return started;
  }

  const adminHeaders = () => ({ cookie, 'sec-fetch-site': 'same-origin' });
  const get = (url: string, route: string) => supertest(url).get(route).set(adminHeaders());
  const post = (url: string, route: string, body: object = {}) =>
    supertest(url).post(route).set(adminHeaders()).send(body);
  const poll = (url: string, id: string) =>
    supertest(url)
      .get(`${DEVICE_API}/check-update`)
      .query({ device_id: id })
      .auth(tokens.get(id) ?? '', { type: 'bearer' });

  async function create(url: string): Promise<string> {
    const { body } = await post(url, `${ADMIN_API}/deployments`, deploymentRequest()).expect(201);
    return (body as CreatedDeployment).deployment_id;
  }

  async function detail(url: string, id: string): Promise<DeploymentDetail> {
    return (await get(url, `${ADMIN_API}/deployments/${id}`).expect(200)).body as DeploymentDetail;
  }

  const untilReleased = (url: string, id: string) =>
    waitFor(async () => (await detail(url, id)).released_devices === DEVICES, {
      ...RECOVERY,
      describe: 'the batch is released',
    });

  async function readiness(url: string): Promise<{ status: number; failed: string[] }> {
    const { status, body } = await supertest(url).get('/health/ready');
    const { checks } = body as Readiness;
    return { status, failed: Object.keys(checks).filter((name) => !checks[name]?.healthy) };
  }

  const untilReady = (url: string) =>
    waitFor(async () => (await readiness(url)).status === 200, {
      ...RECOVERY,
      describe: async () => `it is ready: ${JSON.stringify(await readiness(url))}`,
    });

  /** Connections of the database, other than those of this test. */
  async function connections(): Promise<number> {
    const client = new pg.Client({ connectionString: (await testPostgres()).connectionString() });
    await client.connect();
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'ota-server%'`,
      [new URL(database.connectionString).pathname.slice(1)],
    );
    await client.end();
    return rowCount ?? 0;
  }

  /** A request whose headers the server has read, and whose body is not complete. */
  async function requestInFlight(url: string): Promise<{
    finish(): Promise<{ status: number; body: string }>;
    request: ClientRequest;
  }> {
    const body = JSON.stringify(deploymentRequest());
    const request = httpRequest(`${url}${ADMIN_API}/deployments`, {
      method: 'POST',
      agent: false,
      headers: {
        ...adminHeaders(),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        expect: '100-continue',
      },
    });
    const continued = once(request, 'continue');
    request.flushHeaders();
    await continued;
    request.write(body.slice(0, 10));
    return {
      request,
      async finish() {
        const answered = once(request, 'response') as Promise<[IncomingMessage]>;
        request.end(body.slice(10));
        const [response] = await answered;
        return { status: response.statusCode ?? 0, body: await text(response) };
      },
    };
  }

  describe('--check', () => {
    async function check(settings: Record<string, string>, ...args: string[]) {
      const checking = new OtaServerProcess(settings, ['--check', ...args]);
      const [code] = await checking.exited;
      return { code, out: checking.lines.join('\n'), err: checking.stderr };
    }

    it('exits with 0 if the settings are valid, without using the services', async () => {
      const answer = await check({
        DATABASE_URL: `postgres://ota@127.0.0.1:${await freePort()}/ota`,
        REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
        OTA_SERVER_PUBLIC_URL: 'https://ops.example.com',
        OTA_SERVER_ADMINS__PLATFORM__REDIS__URL: 'redis://127.0.0.1',
      });
      expect(answer).to.deep.equal({ code: 0, out: 'The settings are valid.', err: '' });
    });

    it('exits with 2 and every fault, and reveals no secret', async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'ota-server-check-'));
      closings.push(() => rm(folder, { recursive: true }));
      const config = path.join(folder, 'settings.json');
      await writeFile(config, JSON.stringify({ surplus: 'secret-0', log_level: 'secret-1' }));
      const { code, out, err } = await check(
        {
          DATABASE_URL: 'mysql://ota:secret-2@db/ota',
          REDIS_URL: 'http://:secret-3@redis',
          PORT: 'secret-4',
          OTA_SERVER_ROLE: 'secret-5',
          OTA_SERVER_METRICS_TOKEN: 'secret-6',
          OTA_SERVER_TRUSTED_PROXIES: '["secret-7"]',
          OTA_SERVER_ADMINS__PLATFORM__REDIS__URL: 'ftp://:secret-8@redis',
          OTA_SERVER_ADMINS__OIDC__ISSUER: 'http://secret-9.example.com',
          OTA_SERVER_ADMINS__OIDC__SIGN_IN__CLIENT_ID: 'ota',
          OTA_SERVER_ADMINS__OIDC__SIGN_IN__SESSION_SECRET_FILE: path.join(folder, 'missing'),
        },
        '--config',
        config,
      );
      expect([code, out]).to.deep.equal([2, '']);
      const faults = err.split('\n').slice(1, -1);
      expect(faults.map((line) => line.trim().split(':')[0])).to.have.members([
        'admins.oidc.sign_in.session_secret_file',
        ...['role', 'port', 'public_url', 'database_url', 'redis_url', 'trusted_proxies.0'],
        ...['metrics_token', 'log_level', 'surplus', 'admins.platform.redis.url'],
        ...['admins.oidc.issuer', 'admins.oidc.claims', 'admins.oidc.sign_in.session_secret'],
      ]);
      expect(err).not.to.include('secret-');
    });
  });

  it('serves health, readiness and metrics', async () => {
    const url = await start().running();
    const health = await supertest(url).get('/health').expect(200);
    expect(health.body).to.deep.equal({ status: 'ok' });
    const ready = await supertest(url).get('/health/ready').expect(200);
    expect((ready.body as Readiness).checks).to.have.keys(
      ...['host', 'database', 'plugin', 'platform_sessions'],
    );
    await supertest(url).get('/metrics').expect(401);
    await supertest(url).get('/metrics').set(adminHeaders()).expect(401);
    const metrics = await supertest(url).get('/metrics').auth(METRICS_TOKEN, { type: 'bearer' });
    expect(metrics.status).to.equal(200);
    expect(metrics.text).to.match(/^# TYPE ota_/m);
  });

  it('finishes requests, ends streams and closes its connections on SIGTERM', async () => {
    const server = start();
    const url = await server.running();
    const stream = httpRequest(`${url}${ADMIN_API}/stream`, {
      agent: false,
      headers: { ...adminHeaders(), accept: 'text/event-stream' },
    }).end();
    const [events] = (await once(stream, 'response')) as [IncomingMessage];
    expect(events.statusCode).to.equal(200);
    const streamEnded = once(events.resume(), 'end');
    const inFlight = await requestInFlight(url);

    expect(await connections()).to.be.greaterThan(0);
    const from = performance.now();
    server.child.kill('SIGTERM');
    await streamEnded;
    const answer = await inFlight.finish();
    expect(answer.status, answer.body).to.equal(201);
    expect(await server.exited).to.deep.equal([0, null]);
    expect(performance.now() - from).to.be.lessThan(PROMPT_MS);
    expect((await server.logged('Stopped')).msg).to.equal('Stopped');
    await waitFor(async () => (await connections()) === 0, { describe: 'no connection is left' });
    expect(await database.knex('ota_deployments').count()).to.deep.equal([{ count: '1' }]);
  });

  it('exits at once when it is signalled again', async () => {
    const server = start();
    const { request } = await requestInFlight(await server.running());
    // Not `once`, which rejects when the connection breaks.
    const closed = new Promise((resolve) => request.on('error', resolve));
    server.child.kill('SIGTERM');
    await server.logged('Stopping');
    // Signals within a second are one request.
    await waitFor(() => server.hasExited || !server.child.kill('SIGTERM'), {
      every: 200,
      timeout: PROMPT_MS,
      describe: 'it exits',
    });
    expect(await server.exited).to.deep.equal([1, null]);
    expect((await server.logged('Exiting before everything has stopped')).level).to.equal(30);
    await closed;
  });

  it('shares the work between an api and a worker process', async () => {
    const api = await start({ OTA_SERVER_ROLE: 'api' }).running();
    const id = await create(api);
    await post(api, `${ADMIN_API}/deployments/${id}/start`).expect(200);
    expect((await detail(api, id)).batches[0]).to.have.property('state', 'releasing');

    const worker = await start({ OTA_SERVER_ROLE: 'worker' }).running();
    await untilReleased(api, id);
    const offer = await poll(api, FIELD[0] ?? '').expect(200);
    expect(offer.body).to.include({ update_available: true, deployment_id: id });

    await supertest(worker).get('/health').expect(200);
    await supertest(worker).get('/health/ready').expect(200);
    await supertest(worker).get('/metrics').auth(METRICS_TOKEN, { type: 'bearer' }).expect(200);
    // It has no routes: a proxy that sends requests to it is wrong, and no later attempt would help.
    for (const route of [`${ADMIN_API}/deployments`, '/admin/edge/ota', '/']) {
      await get(worker, route).expect(404);
    }
    await poll(worker, FIELD[0] ?? '').expect(404);
  });

  /** Nobody is let in, whatever they send. */
  async function expectNoAdmins(url: string, unknownSession: 401 | 503): Promise<void> {
    const statuses: Record<string, number> = {
      [`session_token=${'ab'.repeat(32)}`]: unknownSession,
    };
    statuses[cookie] = 503;
    for (const [sent, expected] of Object.entries(statuses)) {
      const { status, body } = await get(url, `${ADMIN_API}/deployments`).set({ cookie: sent });
      expect([status, (body as Problem).status]).to.deep.equal([expected, expected]);
    }
    await supertest(url).get(`${ADMIN_API}/deployments`).expect(401);
  }

  it('waits for the Redis of the platform, while it serves devices', async () => {
    const port = await freePort();
    const url = await start({
      OTA_SERVER_ADMINS__PLATFORM__REDIS__URL: protectedUrl({ port }),
    }).running();
    expect(await readiness(url)).to.deep.equal({ status: 503, failed: ['platform_sessions'] });
    await expectNoAdmins(url, 503);
    await poll(url, FIELD[0] ?? '').expect(200);

    const platform = await startRedis(port);
    closings.push(async () => platform?.stop());
    cookie = await openPlatformSession(protectedUrl({ port }));
    secrets.push(cookie.split('=')[1] ?? '');
    await untilReady(url);
    await get(url, `${ADMIN_API}/deployments`).expect(200);
  });

  it('serves devices while Redis is away, and recovers without a restart', async () => {
    const server = start();
    const url = await server.running();
    const id = await create(url);
    await post(url, `${ADMIN_API}/deployments/${id}/start`).expect(200);
    await untilReleased(url, id);
    await poll(url, FIELD[0] ?? '').expect(200);

    await redis.stop();
    await waitFor(async () => (await readiness(url)).status === 503, { describe: 'not ready' });
    expect((await readiness(url)).failed).to.have.members(['platform_sessions', 'plugin']);
    await expectNoAdmins(url, 503);
    for (const one of FIELD.slice(0, 2)) {
      const { body } = await poll(url, one).expect(200);
      expect(body).to.include({ deployment_id: id });
    }

    redis = (await startRedis(redis.port))!;
    cookie = await openPlatformSession(redisUrl);
    secrets.push(cookie.split('=')[1] ?? '');
    await untilReady(url);
    const next = await create(url);
    await post(url, `${ADMIN_API}/deployments/${next}/start`).expect(200);
    await untilReleased(url, next);
    expect(server.hasExited).to.equal(false);
  });

  it('exits with 1 and says why if the Redis of the queue is away at the start', async () => {
    const server = start({ REDIS_URL: protectedUrl({ port: await freePort() }) });
    expect(await server.exited).to.deep.equal([1, null]);
    const failure = server.log.find(({ msg }) => msg === 'ota-server failed to start');
    expect(failure)
      .to.have.nested.property('err.message')
      .that.matches(/plugin.*not.*activated/i);
    expect(server.output).to.include('queue_unavailable');
  });

  it('responds with 503 while the database is away, and recovers without a restart', async () => {
    const relay = await DatabaseRelay.open(database.connectionString);
    closings.push(() => relay.cut().catch(() => undefined));
    const server = start({ DATABASE_URL: relay.connectionString });
    const url = await server.running();
    const id = await create(url);
    await poll(url, FIELD[0] ?? '').expect(200);

    await relay.cut();
    await waitFor(async () => (await readiness(url)).status === 503, { describe: 'not ready' });
    expect((await readiness(url)).failed).to.include.members(['database', 'plugin']);
    await supertest(url).get('/health').expect(200);
    // Redis still reports that there is no such session.
    await expectNoAdmins(url, 401);
    for (const token of [tokens.get(FIELD[0] ?? '') ?? '', newAuthToken()]) {
      await poll(url, FIELD[0] ?? '')
        .auth(token, { type: 'bearer' })
        .expect(503);
    }

    await relay.restore();
    await untilReady(url);
    await post(url, `${ADMIN_API}/deployments/${id}/start`).expect(200);
    await untilReleased(url, id);
    await poll(url, FIELD[0] ?? '').expect(200);
    expect(server.hasExited).to.equal(false);
  });

  it('exits with 1 and says why if the database is away at the start', async () => {
    const away = new URL(database.connectionString);
    away.port = String(await freePort());
    const server = start({ DATABASE_URL: away.href });
    expect(await server.exited).to.deep.equal([1, null]);
    expect(server.log.at(-1)).to.have.nested.property(
      'err.message',
      `The database cannot be used; check database_url: connect ECONNREFUSED 127.0.0.1:${away.port}`,
    );
  });

  it('exits with 1 and says why if the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    closings.push(async () => other.close());
    const { port } = other.address() as AddressInfo;
    const server = start({ PORT: String(port) });
    expect(await server.exited).to.deep.equal([1, null]);
    expect(server.log.at(-1))
      .to.have.nested.property('err.message')
      .that.includes(`cannot listen on 127.0.0.1:${port}. If the port is in use`);
    await waitFor(async () => (await connections()) === 0, { describe: 'no connection is left' });
  });

  it('continues after kill -9', async () => {
    const first = start({ OTA_SERVER_OTA: JSON.stringify({ queue_prefix: queuePrefix }) });
    const killed = await first.running();
    const id = await create(killed);
    await poll(killed, FIELD[0] ?? '').expect(200);
    await post(killed, `${ADMIN_API}/deployments/${id}/start`).expect(200);
    await first.kill();

    const url = await start().running();
    await untilReleased(url, id);
    const { body } = await poll(url, FIELD[0] ?? '').expect(200);
    expect(body).to.include({ deployment_id: id });
    await poll(url, FIELD[0] ?? '')
      .auth(newAuthToken(), { type: 'bearer' })
      .expect(401);
  });

  it('migrates once when two processes start together', async () => {
    const both = [start({ OTA_SERVER_ROLE: 'api' }), start({ OTA_SERVER_ROLE: 'api' })];
    const urls = await Promise.all(both.map((one) => one.running()));
    for (const url of urls) await untilReady(url);
    for (const table of ['ota_migrations', 'ota_server_migrations']) {
      const names = await database.knex(table).pluck<string[]>('name');
      expect(new Set(names).size).to.equal(names.length).and.to.be.greaterThan(0);
    }
    for (const one of both) expect(await one.stop()).to.equal(0);
  });

  describe('--try', () => {
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'ota-server-try-'));
      await chmod(folder, 0o711);
      closings.push(() => rm(folder, { recursive: true, force: true }));
    });

    async function startTrial(): Promise<{ url: string; token: string; trial: OtaServerProcess }> {
      const port = await freePort();
      const trial = new OtaServerProcess({ PORT: String(port) }, ['--try', '--data-dir', folder]);
      processes.push(trial);
      const url = await trial.running();
      const [, token = ''] = await trial.wroteError(/^ {2}(trial\S+)$/m);
      return { url, token, trial };
    }

    const withToken = (url: string, token: string) =>
      supertest.agent(url).auth(token, { type: 'bearer' });

    it('needs no settings, and keeps its data', async () => {
      const { url, token, trial } = await startTrial();
      const admin = withToken(url, token);
      const rejected = await admin.post(`${ADMIN_API}/deployments`).send(deploymentRequest());
      expect([rejected.status, (rejected.body as Problem).code]).to.deep.equal([
        422,
        'no_matching_devices',
      ]);
      const opened = await admin
        .post('/api/v1/admin/ota-server/enrolment/window')
        .send({ hours: 2 })
        .expect(200);
      expect(trial.lines.join('\n')).not.to.include(token);
      expect(await trial.stop()).to.equal(0);

      const again = await startTrial();
      await withToken(again.url, token).get(`${ADMIN_API}/deployments`).expect(401);
      const kept = await withToken(again.url, again.token)
        .get('/api/v1/admin/ota-server/enrolment/window')
        .expect(200);
      expect(kept.body).to.deep.equal(opened.body);
      expect(await again.trial.stop()).to.equal(0);
    });

    it('stops its database when it fails', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      closings.push(async () => other.close());
      const { port } = other.address() as AddressInfo;
      const trial = new OtaServerProcess({ PORT: String(port) }, ['--try', '--data-dir', folder]);
      processes.push(trial);
      expect((await trial.exited)[0]).to.equal(1);
      // Otherwise the next one would not get its folder.
      const { trial: next } = await startTrial();
      expect(await next.stop()).to.equal(0);
    });
  });
});
