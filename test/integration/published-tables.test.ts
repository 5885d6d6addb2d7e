/** The plugin on the deployment tables of the published Ops-Center. */
import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import knexFactory from 'knex';

import { activate } from '../../backend/plugin.ts';
import { ROLLOUT_STRATEGIES } from '../../backend/contract/states.ts';
import { createEarlierTables } from '../support/earlier-release/earlier-release.ts';
import { createFakeHost } from '../support/fake-host.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { Fleet, createFleet, startOta, type OtaServer } from '../support/ota-server.ts';

describe('on the tables of the published Ops-Center', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ tables: 'published.sql' });
    fleet = await createFleet(ota, 10);
  });
  after(() => ota.close());

  const row = (id: string) => ota.knex('ota_deployments').where({ id }).first();

  for (const strategy of ROLLOUT_STRATEGIES) {
    const shares = { manual: 100, immediate: 100, canary: 10, rolling: 20 };
    it(`G47 a ${strategy} deployment needs no percentage and completes`, async () => {
      const request = { rollout_strategy: strategy, device_ids: fleet.devices.map(({ id }) => id) };
      const created = await fleet.create(request);
      expect((await row(created.deployment_id)).rollout_percentage).to.equal(shares[strategy]);
      const hasShare = strategy === 'canary' || strategy === 'rolling';
      expect(created.rollout_percentage).to.equal(hasShare ? shares[strategy] : null);

      const id = created.deployment_id;
      await fleet.act(id, 'start');
      const left = new Set(fleet.devices);
      while (left.size > 0) {
        const { released_devices: released } = await fleet.until(
          id,
          ({ released_devices, progress }) => released_devices > progress.completed,
        );
        for (const target of (await fleet.targets(id)).slice(0, released)) {
          const device = fleet.deviceById(target.device_id);
          if (left.delete(device)) await fleet.reports(device, id, 'completed');
        }
        const { phase } = await fleet.detail(id);
        if (phase === 'awaiting_expansion') await fleet.act(id, 'expand');
      }
      expect((await fleet.detail(id)).status).to.equal('completed');
    });
  }

  it('G47 a rolling deployment with a batch size has no percentage', async () => {
    const created = await fleet.create({ rollout_strategy: 'rolling', batch_size: 3 });
    expect(created.rollout_percentage).to.equal(null);
    expect((await row(created.deployment_id)).rollout_percentage).to.equal(100);
  });

  it('G47 created_by is stored in the host’s column if the author is a user of the host', async () => {
    const { deployment_id: id, created_by } = await fleet.create();
    expect(created_by).to.equal(fleet.admin.id);
    expect((await row(id)).created_by).to.equal(fleet.admin.id);
  });

  for (const userId of [randomUUID(), 'service:ci', 'x'.repeat(300)]) {
    it(`G47 created_by is shown even if the author is not a user of the host (${userId.slice(0, 12)}…)`, async () => {
      const host = await createFakeHost({ knex: ota.knex });
      const { context } = host;
      const auth: typeof context.auth = {
        ...context.auth,
        async admin(request) {
          const admin = await context.auth.admin(request);
          return admin && { ...admin, userId };
        },
      };
      const plugin = await activate({ ...context, auth });
      try {
        const foreign = new Fleet(ota.knex, host, fleet.admin);
        const { deployment_id: id, created_by } = await foreign.create();
        expect(created_by).to.equal(userId);
        expect((await row(id)).created_by).to.equal(null);
        expect((await foreign.detail(id)).created_by).to.equal(userId);
      } finally {
        await plugin.deactivate();
        await host.close();
      }
    });
  }
});

describe('a database role with minimal privileges', () => {
  it('G47 can create deployments without access to the host’s users', async () => {
    const ota = await startOta({ tables: 'published.sql' });
    const role = `ota_${randomUUID().slice(0, 8)}`;
    const url = new URL(ota.database.connectionString);
    await ota.knex.raw(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    await ota.knex.raw(`GRANT CREATE ON DATABASE "${url.pathname.slice(1)}" TO ${role}`);
    await ota.knex.raw(`GRANT USAGE, CREATE ON SCHEMA public TO ${role}`);
    // The first server's queue belongs to another role.
    const config = { migrate: false, queue_prefix: role };
    await ota.knex.raw(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
    await ota.knex.raw(`GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
    await ota.knex.raw(`REVOKE ALL ON keycloak_users FROM ${role}`);
    url.username = role;
    url.password = 'secret';
    const own = knexFactory({ client: 'pg', connection: url.href });
    const host = await createFakeHost({ knex: ota.knex, role: 'api' });
    const plugin = await activate({
      ...host.context,
      config,
      database: { knex: own },
    });
    try {
      const fleet = await createFleet(ota, 1);
      const { deployment_id: id, created_by } = await fleet.through(host).create();
      expect(created_by).to.equal(fleet.admin.id);
      const row = await ota.knex('ota_deployments').where({ id }).first();
      expect(row.created_by).to.equal(null);
    } finally {
      await plugin.deactivate();
      await host.close();
      await own.destroy();
      await ota.knex.raw(`DROP OWNED BY ${role}`);
      await ota.knex.raw(`DROP ROLE ${role}`);
      await ota.close();
    }
  });
});

describe('host tables that do not accept what the plugin writes', () => {
  for (const [what, change] of Object.entries({
    'a check without a deployment status': `ALTER TABLE ota_deployments ADD CONSTRAINT few_states
       CHECK (status IN ('pending', 'completed'))`,
    'an additional required column':
      'ALTER TABLE ota_deployments ADD COLUMN cost_center text NOT NULL',
    'a version column that is too short':
      'ALTER TABLE ota_deployments ALTER COLUMN target_version TYPE varchar(20)',
    'a check without a target status': `ALTER TABLE ota_deployment_devices ADD CONSTRAINT few_states
       CHECK (status IN ('pending', 'completed'))`,
  })) {
    it(`G47 ${what} makes the plugin refuse to start with the reason`, async () => {
      const database = await createTestDatabase({ schema: 'host' });
      const host = await createFakeHost({ knex: database.knex });
      try {
        await createEarlierTables(database.knex, 'published.sql');
        await database.knex.raw(change);
        const outcome = await activate(host.context).then(
          () => 'activated',
          (error: Error) => error.message,
        );
        expect(outcome).to.match(
          /database reject.*(few_states|cost_center|character varying\(20\))/,
        );
        const written = await database.knex('ota_deployments').select('id');
        expect(written).to.deep.equal([]);
      } finally {
        await host.close();
        await database.drop();
      }
    });
  }
});
