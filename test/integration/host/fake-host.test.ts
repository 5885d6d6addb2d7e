import { expect } from 'chai';
import { Router } from 'express';

import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import { insertDevices } from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';

describe('the fake host', () => {
  let database: TestDatabase;
  let host: FakeHost;

  before(async () => {
    database = await createTestDatabase();
    host = await createFakeHost({ knex: database.knex });
  });

  after(async () => {
    await host.close();
    await database.drop();
  });

  function whoAmI(): Router {
    return Router()
      .get('/admin', async (request, response) => {
        response.json(await host.context.auth.admin(request));
      })
      .get('/device', async (request, response) => {
        response.json(await host.context.auth.device(request));
      });
  }

  it('authenticates users by their tokens', async () => {
    const unmount = host.context.http.mount('admin', whoAmI());
    const answer = await host.as(host.viewer).get('/api/v1/admin/ota/admin');
    expect(answer.body).to.deep.equal({
      userId: host.viewer.id,
      name: 'Viewer',
      organizationId: host.organizationId,
      isAdmin: false,
    });
    const anonymous = await host.as({ token: 'guess' }).get('/api/v1/admin/ota/admin');
    expect(anonymous.body).to.equal(null);
    unmount();
  });

  it('authenticates many devices at once by their tokens', async () => {
    const { organizationId } = host;
    const devices = await insertDevices(database.knex, 50, { organizationId });
    const unmount = host.context.http.mount('device', whoAmI());
    const answers = await Promise.all(
      devices.map((device) => host.as(device).get('/api/v1/ota/device')),
    );
    expect(answers.map((answer) => answer.body as unknown)).to.deep.equal(
      devices.map(({ id }) => ({ deviceId: id, organizationId })),
    );
    unmount();
  });

  it('serves a router until it is unmounted', async () => {
    const unmount = host.context.http.mount('admin', whoAmI());
    await host.as(host.admin).get('/api/v1/admin/ota/admin').expect(200);
    unmount();
    await host.as(host.admin).get('/api/v1/admin/ota/admin').expect(404);
  });
});
