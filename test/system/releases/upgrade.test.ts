import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { expect } from 'chai';
import type { Knex } from 'knex';

import { counterDrift } from '../../support/rollout-audit.ts';
import {
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../../support/ota-server.ts';
import { startMigrationProcess } from '../../support/migration-process.ts';
import { untilWaitingForLock } from '../../support/blocked-sessions.ts';
import { recordStatements, unsupportedStatements } from './statements.ts';

const LAST_MIGRATION = '20261124000000_event_address';
/** A version, e.g. `1.0.0`, under which to keep the statements of this release. */
const RECORD_AS = process.env['OTA_RECORD_RELEASE'];

/** Runs every statement of the product at least once. */
async function useEverything(fleet: Fleet): Promise<void> {
  const canary = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
  const [good, bad] = await fleet.batch(canary, 1);
  await fleet.poll(good!, 'v2.0.0', { protection: 'files', components: '{"app":"v1.0.0"}' });
  await fleet.reports(good!, canary, 'downloading', 'installing', 'verifying', 'completed');
  await fleet.reports(bad!, canary, 'failed');
  await fleet.act(canary, 'pause');
  await fleet.act(canary, 'resume');
  await fleet.post(`/deployments/${canary}/retry`).expect(200);
  await fleet.post(`/deployments/${canary}/devices/${good!.id}/rollback`).expect(202);
  await fleet.poll(good!);
  await fleet.reports(good!, canary, 'rolled_back');
  await fleet.act(canary, 'expand');
  await fleet.untilReleased(canary, fleet.devices.length);
  await fleet.host
    .as(good!)
    .post(`/api/v1/ota/deployments/${canary}/logs?device_id=${good!.id}`)
    .send({ attempt: 1, chunk: 'log' })
    .expect(202);
  const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
  await fleet.reportAll(fleet.devices.slice(0, 5), newer, 'completed');
  await fleet.act(canary, 'cancel');
  for (const url of [
    '/deployments?status=in_progress&search=v2',
    `/deployments/${canary}/devices?status=failed&batch=1&search=dev`,
    `/deployments/${canary}/devices/${good!.id}/logs`,
    `/deployments/${canary}/events`,
    `/deployments/${newer}/impact`,
    '/devices?search=dev&device_type=raspberry_pi&status=online',
    '/metrics',
    `/metrics?deployment_id=${canary}`,
  ]) {
    await fleet.get(url).expect(200);
  }
  expect(await counterDrift(fleet.knex, canary)).to.equal(0);
  expect(await counterDrift(fleet.knex, newer)).to.equal(0);
}

/** Extends the schema as a newer release may: it only adds to it. */
async function expandSchema(knex: Knex): Promise<void> {
  const tables = await knex('pg_tables')
    .where({ schemaname: 'public' })
    .andWhere('tablename', 'like', 'ota\\_%')
    .pluck<string[]>('tablename');
  for (const table of tables.filter((name) => !name.startsWith('ota_migrations'))) {
    await knex.raw(`ALTER TABLE ?? ADD COLUMN of_the_future jsonb DEFAULT '{}'`, [table]);
  }
  await knex('ota_migrations').insert({ name: '20990101000000_future', batch: 99 });
}

describe('two releases that share a database', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  let fleet: Fleet;

  beforeEach(async () => {
    ota = await startOta({ config: { reconcile_seconds: 1, timeout_sweep_seconds: 1 } });
    fleet = await createFleet(ota, 10);
  });

  afterEach(() => ota.close());

  it('a server starts and works on the schema of a newer release', async () => {
    await expandSchema(ota.knex);
    const second = await startServer(ota.knex);
    try {
      expect(await second.plugin.health()).to.have.property('healthy', true);
      await useEverything(fleet.through(second.host));
      await useEverything(await createFleet(ota, 10));
    } finally {
      await second.close();
    }
  });

  it('a running server keeps working when a newer release extends its tables', async () => {
    const id = await fleet.rollOut();
    for (const device of fleet.devices) {
      await fleet.poll(device);
      await fleet.reports(device, id, 'downloading', 'installing');
    }
    await fleet.reportAll(fleet.devices.slice(0, 5), id, 'completed');
    await expandSchema(ota.knex);
    await fleet.reportAll(fleet.devices.slice(5), id, 'completed');
    expect(await counterDrift(ota.knex, id)).to.equal(0);
  });

  it('a server is not ready if its database lacks a migration', async () => {
    await ota.knex('ota_migrations').where({ name: LAST_MIGRATION }).delete();
    const { checks } = await ota.plugin.health();
    expect(checks['migrations']?.healthy).to.equal(false);
    expect(checks['migrations']?.detail).to.include(LAST_MIGRATION);
    await ota.knex('ota_migrations').insert({ name: LAST_MIGRATION, batch: 1 });
    expect(await ota.plugin.health()).to.have.property('healthy', true);
  });

  it('the schema supports the statements of every recorded release', async () => {
    const statements = await recordStatements(() => useEverything(fleet));
    expect(statements.length).to.be.greaterThan(30);
    expect(await unsupportedStatements(ota.knex, statements)).to.deep.equal([]);
    if (RECORD_AS !== undefined) {
      const file = path.join(import.meta.dirname, `${RECORD_AS}.json`);
      await writeFile(file, `${JSON.stringify(statements, null, 2)}\n`);
    }
    const kept = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.json'));
    for (const file of kept) {
      const text = await readFile(path.join(import.meta.dirname, file), 'utf8');
      const unsupported = await unsupportedStatements(ota.knex, JSON.parse(text) as string[]);
      expect(unsupported, file).to.deep.equal([]);
    }
    // Shows that the check finds a column that was dropped too early.
    await ota.knex.schema.alterTable('ota_events', (table) => table.dropColumn('actor_name'));
    const unsupported = await unsupportedStatements(ota.knex, statements);
    expect(unsupported.join('\n')).to.include('actor_name');
  });

  describe('migrations from another process', () => {
    async function revertLastMigration(): Promise<void> {
      await ota.knex.raw('ALTER TABLE ota_events DROP COLUMN actor_address');
      await ota.knex('ota_migrations').where({ name: LAST_MIGRATION }).delete();
    }

    it('do not block polls, reports, or events of the previous release', async () => {
      const id = await fleet.rollOut();
      await revertLastMigration();
      const reader = await ota.knex.transaction();
      await reader('ota_events').first();
      const migrated = once(startMigrationProcess(ota.database.connectionString), 'exit');
      await untilWaitingForLock(ota.knex, { query: 'ALTER TABLE%', timeout: 20_000 });

      // Events as the previous release inserts them. They queue behind the waiting migration.
      let written = 0;
      for (const device of fleet.devices) {
        await fleet.poll(device);
        await fleet.reports(device, id, 'downloading', 'installing');
        await ota
          .knex('ota_events')
          .insert({
            organization_id: fleet.organizationId,
            deployment_id: id,
            type: 'device_failed',
            actor_type: 'device',
            data: {},
          })
          .timeout(5_000);
        written += 1;
      }
      expect(written).to.equal(10);
      expect(await ota.knex('ota_migrations').where({ name: LAST_MIGRATION })).to.have.length(0);

      await reader.rollback();
      expect(await migrated).to.deep.equal([0, null]);
      await fleet.reportAll(fleet.devices, id, 'completed');
      await fleet.until(id, ({ status }) => status === 'completed');
      expect(await counterDrift(ota.knex, id)).to.equal(0);
      expect(
        (await fleet.events(id)).filter(({ type }) => type === 'device_failed'),
      ).to.have.length(10);
    });
  });
});
