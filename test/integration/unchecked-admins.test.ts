/** The plugin while its host cannot check who sends a request. */
import { expect } from 'chai';

import { activate } from '../../backend/plugin.ts';
import { HostProblem } from '../../backend/server/host/problem.ts';
import { createFakeHost, type FakeHost } from '../support/fake-host.ts';
import { ADMIN_API } from '../support/ota-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

describe('a host that cannot check who sends a request', () => {
  let database: TestDatabase;
  let host: FakeHost;
  let plugin: Awaited<ReturnType<typeof activate>>;
  let failure: Error;

  before(async () => {
    database = await createTestDatabase();
    host = await createFakeHost({ knex: database.knex });
    const { context } = host;
    plugin = await activate({
      ...context,
      auth: { ...context.auth, admin: () => Promise.reject(failure) },
    });
  });

  after(async () => {
    await plugin.deactivate();
    await host.close();
    await database.drop();
  });

  const outages: [string, Error, string][] = [
    [
      'session store',
      new HostProblem('unavailable', 'Redis is away'),
      'authentication_unavailable',
    ],
    ['code', new TypeError('x is not a function'), 'authentication_unavailable'],
    [
      'database',
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
      'database_unavailable',
    ],
  ];
  for (const [what, error, code] of outages) {
    it(`lets nobody in because its ${what} fails: 503 ${code}`, async () => {
      failure = error;
      const { body } = await host
        .as(host.admin)
        .get(`${ADMIN_API}/deployments`)
        .expect(503)
        .expect('Retry-After', /\d/);
      expect(body).to.include({ code });
      expect(JSON.stringify(body)).not.to.include(error.message);
    });
  }
});
