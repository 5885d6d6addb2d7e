/** Where the tables of ota-server can be: with those of Ops-Center, in a schema of their own, or in a database of their own. */
import { randomBytes } from 'node:crypto';

import { expect } from 'chai';
import pg from 'pg';
import { pino } from 'pino';
import supertest from 'supertest';

import type {
  CreatedDeployment,
  DeploymentDetail,
  DevicePage,
} from '../../../backend/contract/admin-api.ts';
import { startServer } from '../../../backend/server/server.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { ADMIN_API, DEVICE_API, deploymentRequest } from '../../support/ota-server.ts';
import { newAuthToken, ORGANIZATION } from '../../support/published-platform/enrolment-host.ts';
import { asRole, operatorSql, uniqueRole } from '../../support/published-platform/operator-sql.ts';
import {
  createMembers,
  PLATFORM_USER,
  publishedSettings,
  startPublishedServer,
  type PublishedServer,
} from '../../support/published-platform/published-server.ts';
import { administer, createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { testPostgres, testRedisUrl } from '../../support/test-services.ts';

const PASSWORD = 'a-password-of-the-test';
const VERSION = 'v2.1.0';
const EARLIER = '00000000-0000-4000-8000-d00000000001';
const field = (n: number): string =>
  `00000000-0000-4000-8000-1000000000${String(n).padStart(2, '0')}`;
const FIELD = [1, 2, 3, 4, 5, 6].map(field);

interface Grant {
  table: string;
  column: string;
  privilege: string;
}

/** A database with the tables and rows of Ops-Center, and what has to be removed after the test. */
interface Setup {
  platform: TestDatabase;
  /** Of ota-server. */
  databaseUrl: string;
  dispose(): Promise<void>;
}

async function createPlatform(): Promise<TestDatabase> {
  const platform = await createTestDatabase({ schema: 'published' });
  await createMembers(platform.knex);
  return platform;
}

/** In the platform's own database, with a role that may do no more than it needs. */
async function platformDatabase(): Promise<Setup> {
  const platform = await createPlatform();
  const { knex } = platform;
  await knex('ota_deployments').insert({
    id: EARLIER,
    deployment_name: 'Earlier',
    organization_id: ORGANIZATION,
    target_version: 'v1.0.0',
    rollout_strategy: 'immediate',
    status: 'completed',
    started_at: knex.fn.now(),
    completed_at: knex.fn.now(),
    created_by: PLATFORM_USER,
    created_at: knex.raw(`now() - interval '1 day'`),
  });
  await knex('ota_deployment_devices').insert(
    FIELD.slice(0, 2).map((device) => ({
      deployment_id: EARLIER,
      device_id: device,
      status: 'completed',
    })),
  );
  const role = uniqueRole('ota_server');
  const platformRole = uniqueRole('ops_center');
  await knex.raw(`CREATE ROLE ${platformRole}`);
  await knex.raw(
    operatorSql('platform-database.sql', {
      'TO ops_center': `TO ${platformRole}`,
      'CREATE ROLE ota_server': `CREATE ROLE ${role}`,
      'GRANT ota_server': `GRANT ${role}`,
      'TO ota_server': `TO ${role}`,
      'change me': PASSWORD,
    }),
  );
  return {
    platform,
    databaseUrl: asRole(platform.connectionString, role, PASSWORD),
    async dispose() {
      await platform.drop();
      await administer(`DROP ROLE ${role}, ${platformRole}`);
    },
  };
}

async function ownSchema(): Promise<Setup> {
  const platform = await createPlatform();
  const role = uniqueRole('ota_server');
  await platform.knex.raw(
    operatorSql('own-schema.sql', { ota_server: role, 'change me': PASSWORD }),
  );
  return {
    platform,
    databaseUrl: asRole(platform.connectionString, role, PASSWORD),
    async dispose() {
      await platform.drop();
      await administer(`DROP ROLE ${role}`);
    },
  };
}

interface OwnDatabase extends Setup {
  own: TestDatabase;
  /** As whom postgres_fdw reads the platform's tables. */
  remoteRole: string;
}

async function ownDatabase(): Promise<OwnDatabase> {
  const platform = await createPlatform();
  const role = uniqueRole('ota_server');
  const remoteRole = uniqueRole('ota_remote');
  await platform.knex.raw(
    operatorSql('own-database-1-ops-center.sql', {
      ota_remote: remoteRole,
      'change me': PASSWORD,
    }),
  );
  const own = await createTestDatabase({ schema: 'empty' });
  await own.knex.raw(
    operatorSql('own-database-2-ota-server.sql', {
      'CREATE ROLE ota_server': `CREATE ROLE ${role}`,
      'TO ota_server': `TO ${role}`,
      'FOR ota_server': `FOR ${role}`,
      ota_remote: remoteRole,
      'change me too': PASSWORD,
      'change me': PASSWORD,
      'ops-center-postgres': '127.0.0.1',
      5432: String((await testPostgres()).port),
      "dbname 'ops_center'": `dbname '${new URL(platform.connectionString).pathname.slice(1)}'`,
    }),
  );
  return {
    platform,
    own,
    remoteRole,
    databaseUrl: asRole(own.connectionString, role, PASSWORD),
    async dispose() {
      await own.drop();
      await platform.drop();
      await administer(`DROP ROLE ${role}`, `DROP ROLE ${remoteRole}`);
    },
  };
}

const SETUPS = {
  "the platform's database": platformDatabase,
  'a schema of its own with views': ownSchema,
  'a database of its own with foreign tables': ownDatabase,
};

describe('the database of ota-server', function () {
  this.timeout(30_000);
  let redisUrl: string;

  before(async function () {
    const url = await testRedisUrl();
    if (url === null) return this.skip();
    redisUrl = url;
  });

  for (const [where, setUp] of Object.entries(SETUPS)) {
    describe(`is ${where}`, () => {
      let setup: Setup;
      let server: PublishedServer;
      const tokens = new Map(FIELD.map((id) => [id, newAuthToken()]));

      before(async () => {
        setup = await setUp();
        server = await startPublishedServer(setup.databaseUrl, redisUrl);
      });

      after(async () => {
        await server?.stop();
        await setup?.dispose();
      });

      const device = (id: string) => ({
        poll: (version = 'v1.0.0') =>
          supertest(server.url)
            .get(`${DEVICE_API}/check-update`)
            .query({ device_id: id, current_version: version })
            .auth(tokens.get(id) ?? newAuthToken(), { type: 'bearer' }),
        report: (deployment: string, status: string) =>
          supertest(server.url)
            .post(`${DEVICE_API}/deployments/${deployment}/status`)
            .query({ device_id: id })
            .auth(tokens.get(id) ?? '', { type: 'bearer' })
            .send({ status })
            .expect(200),
      });

      const detail = async (id: string): Promise<DeploymentDetail> =>
        (await server.admin.get(`${ADMIN_API}/deployments/${id}`).expect(200))
          .body as DeploymentDetail;

      it('is ready, and logs nothing to worry about', async () => {
        await supertest(server.url).get('/health/ready').expect(200);
        expect([server.pluginActive, server.warnings]).to.deep.equal([true, []]);
      });

      it('lists and matches the registered devices only', async () => {
        const { body } = await server.admin.get(`${ADMIN_API}/devices`).expect(200);
        const ids = (body as DevicePage).devices.map(({ device_id: id }) => id);
        expect(ids).to.have.members(FIELD);
        const search = await server.admin.get(`${ADMIN_API}/devices?search=field-3`).expect(200);
        const found = (search.body as DevicePage).devices.map(({ device_id: id }) => id);
        expect(found).to.deep.equal([field(3)]);
        const preview = await server.admin
          .post(`${ADMIN_API}/deployments/preview`)
          .send(deploymentRequest())
          .expect(200);
        expect(preview.body).to.include({ matching_devices: FIELD.length });
      });

      it('rejects a device that was announced and never registered', async () => {
        const announced = await setup.platform
          .knex('edge_devices')
          .where({ status: 'pending' })
          .first<{ id: string }>('id');
        await device(announced.id).poll().expect(401);
      });

      it('updates all devices', async () => {
        const created = await server.admin
          .post(`${ADMIN_API}/deployments`)
          .send(deploymentRequest({ target_version: VERSION }))
          .expect(201);
        const { deployment_id: id } = created.body as CreatedDeployment;
        expect(created.body).to.include({ total_devices: FIELD.length });
        // Enrols them.
        for (const one of FIELD) {
          const { body } = await device(one).poll().expect(200);
          expect(body).to.include({ update_available: false });
        }
        await server.admin.post(`${ADMIN_API}/deployments/${id}/start`).send({}).expect(200);
        await waitFor(async () => (await detail(id)).released_devices === FIELD.length, {
          describe: 'the batch is released',
        });
        for (const one of FIELD) {
          const { body } = await device(one).poll().expect(200);
          expect(body).to.include({
            update_available: true,
            deployment_id: id,
            target_version: VERSION,
          });
          for (const status of ['downloading', 'installing', 'verifying', 'completed']) {
            await device(one).report(id, status);
          }
        }
        const finished = await waitFor(
          async () => {
            const now = await detail(id);
            return now.status === 'completed' ? now : null;
          },
          { describe: 'the deployment is completed' },
        );
        expect(finished.progress).to.include({ completed: FIELD.length });
        const versions = await setup.platform
          .knex('edge_devices')
          .whereIn('id', FIELD)
          .distinct<{ firmware_version: string }[]>('firmware_version');
        expect(versions).to.deep.equal([{ firmware_version: VERSION }]);
        await server.admin
          .get(`${ADMIN_API}/deployments/${id}/devices?search=field-2`)
          .expect(200)
          .expect(({ body }) => expect(body).to.have.nested.property('devices.length', 1));
        for (const path of [`deployments/${id}/events`, 'metrics', `deployments/${id}/impact`]) {
          await server.admin.get(`${ADMIN_API}/${path}`).expect(200);
        }
        await server.admin
          .post(`${ADMIN_API}/deployments/impact`)
          .send(deploymentRequest())
          .expect(200);
      });

      it('records a version that a device changed by itself', async () => {
        const { body } = await device(field(1)).poll('v3.0.0').expect(200);
        expect(body).to.include({ update_available: false });
        await waitFor(
          async () => {
            const row = await setup.platform
              .knex('edge_devices')
              .where({ id: field(1) })
              .first<{ firmware_version: string }>('firmware_version');
            return row.firmware_version === 'v3.0.0';
          },
          { describe: 'the version is recorded' },
        );
      });

      if (setUp === platformDatabase) {
        it('leaves the deployments to Ops-Center, too', async () => {
          const [{ role }] = (
            await setup.platform.knex.raw<{ rows: [{ role: string }] }>(
              `SELECT rolname AS role FROM pg_roles WHERE pg_has_role(rolname, ?, 'MEMBER') AND NOT rolsuper AND rolname <> ?`,
              Array(2).fill(new URL(setup.databaseUrl).username),
            )
          ).rows;
          await setup.platform.knex.transaction(async (trx) => {
            await trx.raw('SET LOCAL ROLE ??', [role]);
            const rows = await trx('ota_deployments').orderBy('created_at').pluck<string[]>('id');
            expect(rows[0]).to.equal(EARLIER);
          });
        });

        it('shows the deployments of the earlier release', async () => {
          const earlier = await detail(EARLIER);
          expect(earlier).to.include({ status: 'completed', created_by: PLATFORM_USER });
          expect(earlier.progress).to.include({ completed: 2 });
        });
      }
    });
  }

  describe('in a database of its own', () => {
    it('looks up single devices, and locks no others', async () => {
      const setup = await ownDatabase();
      try {
        await setup.platform.knex.raw(
          `INSERT INTO edge_devices (device_name, device_type, organization_id, device_id)
           SELECT 'more-' || n, 'gateway', '${ORGANIZATION}', 'more-' || n
           FROM generate_series(1, 5000) n;
           ANALYZE edge_devices`,
        );
        const client = new pg.Client({ connectionString: setup.databaseUrl });
        await client.connect();
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `EXPLAIN (VERBOSE) UPDATE edge_devices device SET firmware_version = v.version
           FROM unnest(ARRAY['${field(1)}', '${field(2)}']::uuid[], ARRAY['a', 'b']) AS v (id, version)
           WHERE device.id = v.id`,
        );
        await client.end();
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        expect(plan).to.match(/Remote SQL: SELECT .* WHERE \(\(id = \$1::uuid\)\) FOR UPDATE/);
      } finally {
        await setup.dispose();
      }
    });
  });

  describe('lacks something', () => {
    let setups: Setup[];

    beforeEach(() => {
      setups = [];
    });
    afterEach(async () => {
      for (const setup of setups) await setup.dispose();
    });

    async function prepare<S extends Setup>(creating: Promise<S>): Promise<S> {
      const setup = await creating;
      setups.push(setup);
      return setup;
    }

    async function failure(databaseUrl: string): Promise<string> {
      const settings = publishedSettings(databaseUrl, redisUrl);
      const outcome = await startServer(settings, pino({ level: 'silent' })).then(
        (server) => server.stop().then(() => 'it started'),
        (error: unknown) => (error as Error).message,
      );
      return outcome;
    }

    it('names all missing tables', async () => {
      const empty = await createTestDatabase({ schema: 'empty' });
      try {
        expect(await failure(empty.connectionString)).to.equal(
          'The database lacks organizations, edge_devices. Use the database of Ops-Center, or one of ' +
            "ota-server's own with views or foreign tables of these names (docs/server.md, A database of its own).",
        );
      } finally {
        await empty.drop();
      }
    });

    it('names all missing columns', async () => {
      const { platform, databaseUrl } = await prepare(platformDatabase());
      await platform.knex.raw(
        `ALTER TABLE edge_devices DROP COLUMN metadata, DROP COLUMN last_seen;
         ALTER TABLE organizations DROP COLUMN name`,
      );
      expect(await failure(databaseUrl)).to.match(
        /^The database lacks organizations\.name, edge_devices\.last_seen, edge_devices\.metadata\. Use /,
      );
    });

    it('names all missing privileges, in one sentence with what is missing', async () => {
      const { platform, databaseUrl } = await prepare(ownSchema());
      const role = new URL(databaseUrl).username;
      await platform.knex.raw(
        `REVOKE SELECT ON ota.organizations, ota.organization_members, ota.edge_devices FROM ${role};
         GRANT SELECT (id, device_name, organization_id, device_id, status, last_seen, firmware_version, created_at)
           ON ota.edge_devices TO ${role};
         REVOKE UPDATE (firmware_version) ON ota.edge_devices FROM ${role};
         REVOKE CREATE ON SCHEMA ota FROM ${role};
         DROP VIEW ota.organizations`,
      );
      expect(await failure(databaseUrl)).to.match(
        new RegExp(
          String.raw`^The database lacks organizations\. The role ${role} lacks privileges: ` +
            String.raw`SELECT on edge_devices\.device_type, SELECT on edge_devices\.metadata, ` +
            String.raw`UPDATE on edge_devices\.firmware_version, SELECT on organization_members, ` +
            String.raw`CREATE on the schema ota\. Use `,
        ),
      );
    });

    it('names a schema that must not be used', async () => {
      const { platform, databaseUrl } = await prepare(ownSchema());
      const role = new URL(databaseUrl).username;
      await platform.knex.raw(`REVOKE USAGE ON SCHEMA ota FROM ${role}`);
      expect(await failure(databaseUrl)).to.match(
        /^The database lacks organizations, edge_devices, a schema in the search_path of the role\. Use /,
      );
    });

    it('needs each privilege on the other side of a foreign table', async () => {
      const { platform, databaseUrl, remoteRole } = await prepare(ownDatabase());
      const { knex } = platform;
      const { rows: granted } = await knex.raw<{ rows: Grant[] }>(
        `SELECT attrelid::regclass::text AS table, attname AS column, privilege_type AS privilege
         FROM pg_attribute, aclexplode(attacl) WHERE grantee = ?::regrole`,
        [remoteRole],
      );
      expect(granted).to.have.length(17);
      for (const { table, column, privilege } of granted) {
        const grant = `${privilege} (${column}) ON ${table}`;
        await knex.raw(`REVOKE ${grant} FROM ${remoteRole}`);
        const named =
          column === 'ctid'
            ? 'UPDATE on edge_devices.firmware_version'
            : `${privilege} on ${table}.${column}`;
        expect(await failure(databaseUrl), grant).to.include(`lacks privileges: ${named}. Use`);
        await knex.raw(`GRANT ${grant} TO ${remoteRole}`);
      }
    });

    it('names deployment tables of another role', async () => {
      const { platform, databaseUrl } = await prepare(platformDatabase());
      await platform.knex.raw('ALTER TABLE ota_deployments OWNER TO CURRENT_USER');
      expect(await failure(databaseUrl)).to.match(
        /lacks privileges: ownership of ota_deployments\. Use /,
      );
    });

    it('names a view that cannot be updated', async () => {
      const { platform, databaseUrl } = await prepare(ownSchema());
      const role = new URL(databaseUrl).username;
      await platform.knex.raw(
        `ALTER VIEW ota.edge_devices RENAME TO all_devices;
         CREATE VIEW ota.edge_devices AS SELECT DISTINCT * FROM ota.all_devices;
         GRANT SELECT, UPDATE ON ota.edge_devices TO ${role}`,
      );
      expect(await failure(databaseUrl)).to.match(
        /^The database lacks an edge_devices that can be updated\. Use /,
      );
    });

    it('leaves no connection behind', async () => {
      const { platform, databaseUrl } = await prepare(platformDatabase());
      await platform.knex.raw('ALTER TABLE edge_devices DROP COLUMN metadata');
      const url = new URL(databaseUrl);
      const name = `lacking_${randomBytes(4).toString('hex')}`;
      url.searchParams.set('application_name', name);
      await failure(url.href);
      const open = await platform.knex('pg_stat_activity').where({ application_name: name });
      expect(open).to.deep.equal([]);
    });
  });
});
