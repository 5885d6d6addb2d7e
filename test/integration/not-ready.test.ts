import { expect } from 'chai';
import type { Response } from 'supertest';

import type { Problem } from '../../backend/contract/problem.ts';
import { activate } from '../../backend/plugin.ts';
import { untilWaitingForLock } from '../support/blocked-sessions.ts';
import { ADMIN_API, DEVICE_API } from '../support/ota-server.ts';
import {
  createFakeHost,
  DEVICE_ENTRIES,
  ENTRY_NAMES,
  type FakeHost,
} from '../support/fake-host.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const PATHS = [
  `${ADMIN_API}/deployments`,
  `${ADMIN_API}/nothing`,
  `${DEVICE_API}/check-update`,
  `${DEVICE_API}/nothing`,
];

for (const entry of DEVICE_ENTRIES) {
  describe(`a plugin that is not ready, ${ENTRY_NAMES[entry]}`, () => {
    let database: TestDatabase;
    let host: FakeHost;

    beforeEach(async () => {
      database = await createTestDatabase();
      host = await createFakeHost({ knex: database.knex, entry });
    });
    afterEach(async () => {
      await host.close();
      await database.drop();
    });

    function expectNotReady(answer: Response): void {
      expect(answer.status, JSON.stringify(answer.body)).to.equal(503);
      expect((answer.body as Problem).code).to.equal('not_ready');
      expect(answer.get('Retry-After')).to.match(/^\d+$/);
    }

    it('G09 responds with a 503 from the start of its activation', async () => {
      // The migrations wait for the lock.
      const blocker = await database.knex.transaction();
      await blocker.raw('LOCK TABLE ota_migrations IN ACCESS EXCLUSIVE MODE');
      const activation = activate(host.context);
      for (const path of PATHS) expectNotReady(await host.request.get(path));
      await blocker.rollback();
      const plugin = await activation;
      expect((await host.as(host.admin).get(PATHS[0] ?? '')).status).to.equal(200);
      expect((await host.as(host.admin).get(PATHS[1] ?? '')).status).to.equal(404);
      await plugin.deactivate();
    });

    it('G09 responds with a 503 while it stops', async () => {
      const busy = await createFakeHost({
        knex: database.knex,
        entry,
        config: { reconcile_seconds: 1, timeout_sweep_seconds: 1 },
      });
      const plugin = await activate(busy.context);
      // The periodic work is blocked by the lock, and the deactivation has to wait until the work is done.
      const blocker = await database.knex.transaction();
      await blocker.raw('LOCK TABLE ota_leases IN ACCESS EXCLUSIVE MODE');
      await untilWaitingForLock(database.knex, { query: '%ota_leases%' });
      const deactivation = plugin.deactivate();
      for (const path of PATHS.slice(0, 2)) expectNotReady(await busy.request.get(path));
      await blocker.rollback();
      await deactivation;
      expect((await busy.request.get(PATHS[0] ?? '')).status).to.equal(404);
      await busy.close();
    });

    it('G09 leaves nothing mounted if its activation fails', async () => {
      const failing = { ...host.context, config: { no_such_key: 1 } };
      const outcome = await activate(failing).then(
        () => 'activated',
        () => 'failed',
      );
      expect(outcome).to.equal('failed');
      expect((await host.request.get(PATHS[0] ?? '')).status).to.equal(404);
    });
  });
}
