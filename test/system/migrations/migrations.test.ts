import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

import { expect } from 'chai';
import knexFactory, { type Knex } from 'knex';

import { migrateDown, migrateUp } from '../../../migrations/migrator.ts';
import {
  insertDevices,
  insertOrganization,
  insertUser,
  type SeededDevice,
} from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { startMigrationProcess } from '../../support/migration-process.ts';
import { untilWaitingForLock } from '../../support/blocked-sessions.ts';
import {
  VARIANTS,
  createEarlierTables,
  insertEarlierRows,
} from '../../support/earlier-release/earlier-release.ts';
import { snapshotRows, snapshotSchema } from './schema-snapshot.ts';

const EARLIER_COLUMNS = {
  ota_deployments: [
    'id',
    'deployment_name',
    'organization_id',
    'target_version',
    'rollout_strategy',
    'rollout_percentage',
    'status',
    'started_at',
    'completed_at',
    'created_at',
    'created_by',
    'metadata',
  ],
  ota_deployment_devices: [
    'deployment_id',
    'device_id',
    'status',
    'started_at',
    'completed_at',
    'error_message',
  ],
};

/** The advisory lock that migrating processes take. */
const MIGRATORS_LOCK = 7_200_721;

describe('migrations', () => {
  let database: TestDatabase;
  let knex: Knex;

  beforeEach(async () => {
    database = await createTestDatabase({ schema: 'host' });
    knex = database.knex;
  });

  afterEach(() => database.drop());

  async function seedEarlierRelease(variant: (typeof VARIANTS)[number]): Promise<void> {
    await createEarlierTables(knex, variant);
    const organizationId = await insertOrganization(knex);
    const { id: userId } = await insertUser(knex, { organizationId });
    await insertEarlierRows(knex, variant, { organizationId, userId });
  }

  it('can be applied, reverted and applied again', async () => {
    const before = await snapshotSchema(knex);
    await migrateUp(knex);
    const created = await snapshotSchema(knex);
    expect(created.comments.map(({ relname }) => relname)).to.include.members([
      'ota_deployments',
      'ota_deployment_devices',
    ]);
    await migrateDown(knex);
    expect(await snapshotSchema(knex)).to.deep.equal(before);
    await migrateUp(knex);
    expect(await snapshotSchema(knex)).to.deep.equal(created);
  });

  it('change nothing if they were applied before', async () => {
    await migrateUp(knex);
    const created = await snapshotSchema(knex);
    await migrateUp(knex);
    expect(await snapshotSchema(knex)).to.deep.equal(created);
  });

  for (const variant of VARIANTS) {
    it(`adopt the tables of ${variant} and restore them when reverted`, async () => {
      await seedEarlierRelease(variant);
      const schema = await snapshotSchema(knex);
      const rows = await snapshotRows(knex, EARLIER_COLUMNS);
      expect(rows.ota_deployments).to.have.length.above(10);

      await migrateUp(knex);
      const adopted = await snapshotSchema(knex);
      expect(await snapshotRows(knex, EARLIER_COLUMNS)).to.deep.equal(rows);

      await migrateDown(knex);
      expect(await snapshotSchema(knex)).to.deep.equal(schema);
      expect(await snapshotRows(knex, EARLIER_COLUMNS)).to.deep.equal(rows);

      await migrateUp(knex);
      expect(await snapshotSchema(knex)).to.deep.equal(adopted);
      expect(await snapshotRows(knex, EARLIER_COLUMNS)).to.deep.equal(rows);
    });
  }

  it('G12 work with a single connection and short time limits of the database', async () => {
    const before = await snapshotSchema(knex);
    const name = new URL(database.connectionString).pathname.slice(1);
    for (const limit of ['idle_in_transaction_session_timeout', 'statement_timeout']) {
      await knex.raw(`ALTER DATABASE ?? SET ${limit} = '400ms'`, [name]);
    }
    const single = knexFactory({
      client: 'pg',
      connection: database.connectionString,
      pool: { min: 0, max: 1 },
      acquireConnectionTimeout: 5_000,
    });
    const holder = await knex.transaction();
    try {
      await holder.raw('SET LOCAL idle_in_transaction_session_timeout = 0');
      await holder.raw('SET LOCAL statement_timeout = 0');
      await holder.raw('SELECT pg_advisory_xact_lock(?)', [MIGRATORS_LOCK]);
      const migrated = migrateUp(single);
      await untilWaitingForLock(knex, { sessions: 1, timeout: 15_000 });
      // Longer than both limits, shorter than the lock timeout.
      await holder.raw('SELECT pg_sleep(0.7)');
      await holder.rollback();
      await migrated;
      const applied = await single('ota_migrations').pluck<string[]>('name');
      expect(applied).to.have.length.above(5);
      await migrateDown(single);
      expect(await snapshotSchema(knex)).to.deep.equal(before);
    } finally {
      await single.destroy();
    }
  });

  it('pause deployments with unreleased batches when reverted', async () => {
    await createEarlierTables(knex, 'earlier-release.sql');
    await migrateUp(knex);
    const organization_id = await insertOrganization(knex);
    const deployment = {
      organization_id,
      deployment_name: 'Canary',
      target_version: 'v2.1.0',
      rollout_strategy: 'canary',
      status: 'in_progress',
      total_devices: 2,
    };
    const [waiting, running] = await knex('ota_deployments')
      .insert([
        { ...deployment, released_devices: 1 },
        { ...deployment, released_devices: 2 },
      ])
      .returning<{ id: string }[]>('id');
    for (const { id } of [waiting, running] as { id: string }[]) {
      await knex('ota_deployment_devices').insert(
        [0, 1].map((position) => ({ deployment_id: id, device_id: randomUUID(), position })),
      );
    }
    const statusOf = async (id = ''): Promise<unknown> =>
      (await knex('ota_deployments').where({ id }).first<{ status: string }>('status')).status;

    await migrateDown(knex);
    expect(await statusOf(waiting?.id)).to.equal('paused');
    expect(await statusOf(running?.id)).to.equal('in_progress');

    await migrateUp(knex);
    const adopted = await knex('ota_deployments').where({ id: waiting?.id }).first<object>();
    expect(adopted).to.include({ status: 'paused', paused_reason: 'admin', total_devices: 2 });
  });

  for (const earlier of [null, ...VARIANTS]) {
    it(`delete targets together with their deployment, in the tables of ${earlier ?? 'this release'}`, async () => {
      if (earlier) await createEarlierTables(knex, earlier);
      await migrateUp(knex);
      const organization_id = await insertOrganization(knex);
      const deployments = await knex('ota_deployments')
        .insert(
          ['Gone', 'Kept'].map((deployment_name) => ({
            organization_id,
            deployment_name,
            target_version: 'v2.1.0',
            rollout_strategy: 'immediate',
          })),
        )
        .returning<{ id: string }[]>('id');
      const [device] = (await insertDevices(knex, 1, { organizationId: organization_id })) as [
        SeededDevice,
      ];
      for (const { id } of deployments) {
        await knex('ota_deployment_devices').insert({
          deployment_id: id,
          device_id: device.id,
          position: 0,
        });
      }
      await knex('ota_deployments').where({ id: deployments[0]?.id }).delete();
      const left = await knex('ota_deployment_devices')
        .where({ device_id: device.id })
        .pluck<string[]>('deployment_id');
      expect(left).to.deep.equal([deployments[1]?.id]);
    });
  }

  describe('in concurrent processes', () => {
    const children: ChildProcess[] = [];

    afterEach(async () => {
      for (const child of children.splice(0)) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    });

    function startMigrating(): ChildProcess {
      const child = startMigrationProcess(database.connectionString);
      children.push(child);
      return child;
    }

    it('are applied once', async () => {
      const holder = await knex.transaction();
      // Both wait at the first statement and continue at the same time.
      await holder.raw('CREATE TABLE ota_migrations (id integer)');
      const processes = [startMigrating(), startMigrating()];
      const exits = processes.map((child) => once(child, 'exit'));
      await untilWaitingForLock(knex, { sessions: 2, timeout: 15_000 });
      await holder.rollback();
      expect(await Promise.all(exits)).to.deep.equal([
        [0, null],
        [0, null],
      ]);
      const applied = await knex('ota_migrations').select<{ name: string }[]>('name');
      expect(new Set(applied.map(({ name }) => name)).size).to.equal(applied.length);
      expect(applied).to.have.length.above(0);
    });

    it('can be applied after a process was killed while migrating', async () => {
      await seedEarlierRelease('earlier-release.sql');
      const rows = await snapshotRows(knex, EARLIER_COLUMNS);
      const holder = await knex.transaction();
      await holder.raw('LOCK TABLE ota_deployments IN ACCESS EXCLUSIVE MODE');
      const child = startMigrating();
      const exit = once(child, 'exit');
      await untilWaitingForLock(knex, { sessions: 1, timeout: 15_000 });
      child.kill('SIGKILL');
      await exit;
      await holder.rollback();

      await migrateUp(knex);
      expect(await snapshotRows(knex, EARLIER_COLUMNS)).to.deep.equal(rows);
      expect(await knex('ota_migrations_lock').first()).to.have.property('is_locked', 0);
    });

    it('ignore a lock that an earlier process did not release', async () => {
      const before = await snapshotSchema(knex);
      await migrateUp(knex);
      const created = await snapshotSchema(knex);
      await knex('ota_migrations').where('name', 'like', '%version_order').delete();
      await knex.raw('DROP FUNCTION ota_version_matches, ota_compare_versions');
      await knex('ota_migrations_lock').update({ is_locked: 1 });
      await migrateUp(knex);
      expect(await snapshotSchema(knex)).to.deep.equal(created);

      await knex('ota_migrations_lock').update({ is_locked: 1 });
      await migrateDown(knex);
      expect(await snapshotSchema(knex)).to.deep.equal(before);
    });
  });
});
