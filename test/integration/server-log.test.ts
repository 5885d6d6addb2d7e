import { expect } from 'chai';
import { Redis } from 'ioredis';
import { pino } from 'pino';

import type { CreatedDeployment, DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import { LOG_OPTIONS } from '../../backend/server/host/log-options.ts';
import { startHost, type RunningHost } from '../../dev/host/host.ts';
import { deploymentRequest } from '../support/ota-server.ts';
import { startRedisServer, type RedisServer } from '../../dev/redis/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { ROOT } from '../support/repository.ts';

const ADMIN = 'admin-token-of-the-log-test';
const METRICS = 'scraper-token-of-the-log-test';
const REDIS_PASSWORD = 'redis-password-of-the-log-test';
const INSTALL_LOG = 'password in an installation log';
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

interface Line extends Record<string, unknown> {
  msg: string;
}

interface Answer {
  status: number;
  requestId: string;
  body: Record<string, unknown>;
  headers: Headers;
}

describe('the server log', function () {
  this.timeout(30_000);
  let redis: RedisServer;
  let database: TestDatabase;
  let host: RunningHost;
  const lines: Line[] = [];
  /** Values that must never be logged. */
  const secrets = new Set([ADMIN, METRICS, REDIS_PASSWORD, INSTALL_LOG]);

  before(async function () {
    const started = await startRedisServer();
    if (started === null) return this.skip();
    redis = started;
    const connection = new Redis(redis.url);
    await connection.config('SET', 'requirepass', REDIS_PASSWORD);
    connection.disconnect();
    database = await createTestDatabase();
    host = await hostWith(`redis://:${REDIS_PASSWORD}@127.0.0.1:${redis.port}`);
  });

  after(async () => {
    await host?.stop();
    await redis?.stop();
    await database?.drop();
  });

  function hostWith(redisUrl: string): Promise<RunningHost> {
    return startHost({
      role: 'all',
      logger: pino(
        { ...LOG_OPTIONS, level: 'trace' },
        { write: (line) => void lines.push(JSON.parse(line) as Line) },
      ),
      databaseUrl: database.connectionString,
      redisUrl,
      pluginRoot: ROOT,
      pluginConfig: { reconcile_seconds: 1 },
      port: 0,
      listen: '127.0.0.1',
      adminToken: ADMIN,
      metricsToken: METRICS,
    });
  }

  async function send(
    method: string,
    url: string,
    options: { token?: string; cookie?: string; id?: string; body?: object } = {},
  ): Promise<Answer> {
    const { token, cookie, id, body } = options;
    const response = await fetch(`${host.url}${url}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(cookie !== undefined && { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' }),
        ...(id !== undefined && { 'X-Request-Id': id }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      requestId: response.headers.get('X-Request-Id') ?? '',
      body: /json/.test(response.headers.get('content-type') ?? '')
        ? (JSON.parse(text) as Record<string, unknown>)
        : {},
      headers: response.headers,
    };
  }

  const admin = (method: string, url: string, body?: object, id?: string) =>
    send(method, `/api/v1/admin/ota${url}`, {
      token: ADMIN,
      ...(body && { body }),
      ...(id !== undefined && { id }),
    });

  const requestLine = (id: string) =>
    waitFor(
      () => lines.find((line) => line['request_id'] === id && line.msg === 'request answered'),
      {
        describe: `the log line of request ${id}`,
      },
    );

  async function register(name: string): Promise<{ id: string; token: string }> {
    const made = await send('POST', '/api/v1/admin/edge/devices/generate-token', {
      token: ADMIN,
      body: { device_name: name, device_type: 'raspberry_pi' },
    });
    const registration = made.body['registration_token'] as string;
    const registered = await send('POST', '/api/v1/edge/devices/register', {
      body: { hardware_id: name, registration_token: registration, firmware_version: 'v2.0.0' },
    });
    const device = {
      id: registered.body['device_id'] as string,
      token: registered.body['auth_token'] as string,
    };
    secrets.add(registration).add(device.token);
    return device;
  }

  async function roll(): Promise<string> {
    const created = await admin('POST', '/deployments', deploymentRequest());
    expect(created.status, JSON.stringify(created.body)).to.equal(201);
    const { deployment_id: id } = created.body as unknown as CreatedDeployment;
    expect(await requestLine(created.requestId)).to.include({ deployment_id: id, status: 201 });
    expect((await admin('POST', `/deployments/${id}/start`)).status).to.equal(200);
    await waitFor(
      async () => {
        const { body } = await admin('GET', `/deployments/${id}`);
        return (body as unknown as DeploymentDetail).released_devices > 0;
      },
      { describe: 'the batch is released' },
    );
    return id;
  }

  it('uses the X-Request-Id of the client if it is well formed', async () => {
    const given = await admin('GET', '/deployments', undefined, 'deploy-7:a.B_c');
    expect(given.requestId).to.equal('deploy-7:a.B_c');
    expect(await requestLine('deploy-7:a.B_c')).to.include({
      area: 'admin',
      method: 'GET',
      route: '/deployments',
      status: 200,
      level: 20,
    });
    for (const bad of ['a b', 'x'.repeat(129), '"quoted"', '<script>']) {
      const made = await admin('GET', '/deployments', undefined, bad);
      expect(made.requestId, bad).to.match(UUID);
    }
    for (const url of ['/health', '/login', '/nowhere', '/api/v1/ota/check-update']) {
      expect((await send('GET', url)).requestId, url).to.match(UUID);
    }
  });

  it('contains the deployment id in every line about a deployment', async () => {
    await register('pi-log');
    const id = await roll();
    const paused = await admin('POST', `/deployments/${id}/pause`);
    expect(await requestLine(paused.requestId)).to.include({
      deployment_id: id,
      route: '/deployments/:id/pause',
      level: 30,
    });
    await admin('POST', `/deployments/${id}/cancel`);
    const about = lines.filter(
      ({ job, route, notice, msg }) =>
        /^(release-batch|skip-pending|scheduled-start)$/.test(String(job)) ||
        String(route).startsWith('/deployments/:id') ||
        String(notice).startsWith('ota.deployment') ||
        msg.includes('could not be enqueued'),
    );
    expect(about.some(({ job }) => job === 'release-batch')).to.equal(true);
    for (const line of about) expect(line, JSON.stringify(line)).to.have.property('deployment_id');
  });

  it('contains the error of a failed request under the request id of the response', async () => {
    const device = await register('pi-broken');
    const id = await roll();
    await database.knex.schema.renameTable('ota_install_logs', 'ota_install_logs_away');
    const answer = await send('POST', `/api/v1/ota/deployments/${id}/logs?device_id=${device.id}`, {
      token: device.token,
      body: { attempt: 1, chunk: INSTALL_LOG },
    });
    await database.knex.schema.renameTable('ota_install_logs_away', 'ota_install_logs');
    expect(answer.status).to.equal(500);
    const problem = answer.body as unknown as Problem;
    expect(problem).to.include({ code: 'internal_error', request_id: answer.requestId });
    expect(JSON.stringify(problem)).not.to.include('ota_install_logs');
    const line = lines.find(
      (entry) => entry['request_id'] === answer.requestId && entry['level'] === 50,
    );
    expect(line).to.include({ deployment_id: id, route: '/deployments/:id/logs' });
    expect(JSON.stringify(line)).to.include('ota_install_logs');
  });

  it('contains no secrets, even in errors', async () => {
    const device = await register('pi-secret');
    const id = await roll();
    const query = `?device_id=${device.id}`;
    const devices = '/api/v1/ota';
    await send('GET', `${devices}/check-update${query}`, { token: device.token });
    await send('GET', `${devices}/check-update?device_id=${device.id}&token=${device.token}`);
    await send('GET', `${devices}/${device.token}`, { token: device.token });
    await send('POST', `${devices}/deployments/${id}/status${query}`, {
      token: device.token,
      body: { status: 'failed', error_message: 'no room left' },
    });
    await send('POST', `${devices}/deployments/${id}/logs${query}`, {
      token: device.token,
      body: { attempt: 1, chunk: INSTALL_LOG },
    });
    const guess = 'a-token-that-is-not-known';
    secrets.add(guess);
    await send('GET', '/api/v1/admin/ota/deployments', { token: guess });
    await send('GET', '/metrics', { token: METRICS });
    const link = new URL(await host.createLoginUrl());
    secrets.add(link.searchParams.get('code') ?? '');
    const signedIn = await send('GET', `${link.pathname}${link.search}`);
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    secrets.add(cookie.split('=')[1] ?? '');
    const { deployment_id: other } = (await admin('POST', '/deployments', deploymentRequest()))
      .body as unknown as CreatedDeployment;
    const started = await send('POST', `/api/v1/admin/ota/deployments/${other}/start`, { cookie });
    expect(started.status).to.equal(200);

    // Redis rejects the password, then stops. The database drops its connections.
    const connection = new Redis(redis.url, { password: REDIS_PASSWORD });
    await connection.config('SET', 'requirepass', 'another one');
    await connection.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitFor(() => JSON.stringify(lines).includes('WRONGPASS'), {
      describe: 'a rejected password is logged',
      timeout: 15_000,
    });
    connection.disconnect();
    await redis.stop();
    await send('POST', `/api/v1/admin/ota/deployments/${other}/pause`, { token: ADMIN });
    await send('POST', `/api/v1/admin/ota/deployments/${other}/resume`, { token: ADMIN });
    await database.knex.raw(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await send('GET', `${devices}/check-update${query}`, { token: device.token });
    await host.stop();

    expect(secrets.size).to.be.greaterThan(10);
    for (const secret of secrets) {
      expect(secret.length).to.be.greaterThan(15);
      const found = lines.filter((line) => JSON.stringify(line).includes(secret));
      expect(found, secret).to.deep.equal([]);
    }
    expect(JSON.stringify(lines)).not.to.match(/authorization|ops_session/i);
  });
});
