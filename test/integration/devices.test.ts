import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import type { Knex } from 'knex';

import type {
  DeviceDetail,
  DeviceHistory,
  DeviceTarget,
} from '../../backend/contract/admin-api.ts';
import { MAX_DEPLOYMENTS_SEARCHED } from '../../backend/fleet/device-history.ports.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';
import type { SeededDevice } from '../support/seed.ts';

describe('one device', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());

  async function detail(device = fleet.device, of = fleet): Promise<DeviceDetail> {
    return (await of.get(`/devices/${device.id}`).expect(200)).body as DeviceDetail;
  }

  async function history(query = '', device = fleet.device, of = fleet): Promise<DeviceHistory> {
    const answer = await of.get(`/devices/${device.id}/history?${query}`).expect(200);
    return answer.body as DeviceHistory;
  }

  describe('its detail', () => {
    const setMetadata = (metadata: object) =>
      ota
        .knex('edge_devices')
        .where({ id: fleet.device.id })
        .update({ metadata: JSON.stringify(metadata) });

    it('has what the host and the device have recorded', async () => {
      fleet = await createFleet(ota, 1, { namePrefix: 'pump' });
      await setMetadata({
        site: 'berlin',
        slot: 7,
        spare: false,
        nested: { a: 1 },
        list: [1],
        nothing: null,
      });
      await fleet.poll(fleet.device, 'v2.0.0', {
        protection: 'slots',
        components: '{"camera":"v1.4.2"}',
      });
      const { last_seen: lastSeen, ...found } = await detail();
      expect(found).to.deep.include({
        device_id: fleet.device.id,
        device_name: 'pump-0001',
        device_type: 'raspberry_pi',
        hardware_id: fleet.device.hardwareId,
        status: 'online',
        current_version: 'v2.0.0',
        components: { camera: 'v1.4.2' },
        protection: 'slots',
        attributes: { site: 'berlin', slot: 7, spare: false },
        current: null,
      });
      expect(Date.parse(lastSeen ?? '')).to.be.closeTo(Date.now(), 60_000);
    });

    it('limits the number and the length of attributes', async () => {
      fleet = await createFleet(ota, 1);
      const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`key-${n}`, n]));
      await setMetadata({ ...many, a: 'x'.repeat(5_000), ['k'.repeat(101)]: 1 });
      const { attributes } = await detail();
      expect(Object.keys(attributes)).to.have.length(50);
      expect(attributes['a']).to.equal(`${'x'.repeat(499)}…`);
      await setMetadata({ large: 'x'.repeat(300_000) });
      expect((await detail()).attributes).to.deep.equal({});
    });

    it('shows what the device works on, and otherwise what it would get next', async () => {
      fleet = await createFleet(ota, 1);
      const older = await fleet.rollOut({ deployment_name: 'Older' });
      expect((await detail()).current).to.include({ deployment_id: older, status: 'pending' });
      const newer = await fleet.rollOut({ deployment_name: 'Newer', target_version: 'v2.2.0' });
      expect((await detail()).current).to.include({
        deployment_id: newer,
        deployment_name: 'Newer',
        target_version: 'v2.2.0',
        deployment_status: 'in_progress',
      });
      await fleet.reports(fleet.device, older, 'installing');
      expect((await detail()).current).to.include({ deployment_id: older, status: 'installing' });
      await fleet.reports(fleet.device, older, 'completed');
      await fleet.act(newer, 'pause');
      expect((await detail()).current).to.include({
        deployment_id: newer,
        deployment_status: 'paused',
      });
      await fleet.post(`/deployments/${older}/devices/${fleet.device.id}/rollback`).expect(202);
      expect((await detail()).current).to.include({
        deployment_id: older,
        rollback_requested: 'v2.0.0',
      });
    });

    it('shows the same as the target in its deployment', async () => {
      fleet = await createFleet(ota, 3);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 40 });
      for (const device of fleet.devices) {
        expect((await detail(device)).current).to.deep.include(await fleet.target(id, device));
      }
    });
  });

  describe('its history', () => {
    it('has every result, newest deployment first', async () => {
      fleet = await createFleet(ota, 2);
      const { device } = fleet;
      const rollOut = (deployment_name: string, target_version: string) =>
        fleet.rollOut({ deployment_name, target_version, device_ids: [device.id] });
      await fleet.rollOut({ device_ids: [fleet.devices[1]!.id] });

      const completed = await rollOut('Completed', 'v2.1.0');
      await fleet.reports(device, completed, 'downloading', 'completed');
      const undone = await rollOut('Undone', 'v2.2.0');
      await fleet.reports(device, undone, 'completed');
      await fleet.post(`/deployments/${undone}/devices/${device.id}/rollback`).expect(202);
      await fleet.reports(device, undone, {
        status: 'rolled_back',
        installed_version: 'v2.1.0',
      });
      const failed = await rollOut('Failed', 'v2.3.0');
      await fleet.reports(device, failed, {
        status: 'failed',
        failure_cause: 'space',
        error_message: 'disk full',
      });
      await fleet.act(failed, 'retry');
      await fleet.reports(device, failed, 'installing', {
        status: 'rolled_back',
        error_message: 'pump.service is not running',
      });
      const cancelled = await rollOut('Cancelled', 'v2.4.0');
      await fleet.act(cancelled, 'cancel');
      const waiting = await fleet.create({
        deployment_name: 'Waiting',
        device_ids: [device.id],
      });

      const { targets, next_cursor: next } = await history();
      expect(next).to.equal(null);
      const rows = targets.map((target: DeviceTarget) => [
        target.deployment_id,
        target.deployment_name,
        target.deployment_status,
        target.status,
        target.rolled_back_on_request,
        target.skip_reason,
      ]);
      expect(rows).to.deep.equal([
        [waiting.deployment_id, 'Waiting', 'pending', 'pending', false, null],
        [cancelled, 'Cancelled', 'cancelled', 'skipped', false, 'cancelled'],
        [failed, 'Failed', 'failed', 'rolled_back', false, null],
        [undone, 'Undone', 'completed', 'rolled_back', true, null],
        [completed, 'Completed', 'completed', 'completed', false, null],
      ]);
      const [, , retried, , first] = targets;
      expect(retried).to.include({ attempt: 2, error_message: 'pump.service is not running' });
      expect(retried?.earlier_attempts[0]).to.include({
        attempt: 1,
        status: 'failed',
        failure_cause: 'space',
        error_message: 'disk full',
      });
      expect(first).to.include({ previous_version: 'v2.0.0', target_version: 'v2.1.0' });
      expect(first?.duration_seconds).to.be.a('number');
      for (const target of targets) {
        expect(target).to.deep.include(await fleet.target(target.deployment_id, device));
      }
    });

    it('has 200 updates on pages, each exactly once, also of deployments created at once', async () => {
      fleet = await createFleet(ota, 1);
      const { deployment_id: id } = await fleet.create();
      await copyDeployment(ota.knex, id, 199, { withTargets: true });
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: DeviceHistory = await history(`limit=60${cursor ? `&cursor=${cursor}` : ''}`);
        expect(page.targets.length).to.be.within(1, 60);
        seen.push(...page.targets.map((target) => target.deployment_id));
        cursor = page.next_cursor;
      } while (cursor !== null);
      expect(seen).to.have.length(200);
      expect(new Set(seen).size).to.equal(200);
      const inOrder = await ota
        .knex('ota_deployments')
        .where({ organization_id: fleet.organizationId })
        .orderBy([
          { column: 'created_at', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
        .pluck('id');
      expect(seen).to.deep.equal(inOrder);
      expect((await history()).targets).to.have.length(50);
    });

    it('searches a limited number of deployments for each page', async () => {
      fleet = await createFleet(ota, 2);
      const [device, other] = fleet.devices as [SeededDevice, SeededDevice];
      const oldest = await fleet.create({ device_ids: [device.id] });
      const { deployment_id: id } = await fleet.create({ device_ids: [other.id] });
      await copyDeployment(ota.knex, id, MAX_DEPLOYMENTS_SEARCHED, { withTargets: false });
      const first = await history();
      expect(first.targets).to.deep.equal([]);
      expect(first.next_cursor).to.be.a('string');
      const second = await history(`cursor=${first.next_cursor}`);
      expect(second.targets.map((target) => target.deployment_id)).to.deep.equal([
        oldest.deployment_id,
      ]);
      expect(second.next_cursor).to.equal(null);
    });

    it('is empty for a device without deployments', async () => {
      fleet = await createFleet(ota, 1);
      expect(await history()).to.deep.equal({ targets: [], next_cursor: null });
    });

    for (const query of ['cursor=x', 'cursor=12', 'limit=0', 'limit=201', 'order=1']) {
      it(`F57 rejects ${query}`, async () => {
        fleet = await createFleet(ota, 1);
        await fleet.get(`/devices/${fleet.device.id}/history?${query}`).expect(400);
      });
    }

    it('is not continued after a deployment of another organization', async () => {
      const other = await createFleet(ota, 1);
      const { deployment_id: cursor } = await other.create();
      fleet = await createFleet(ota, 1);
      await fleet.create();
      expect((await history(`cursor=${cursor}`)).targets).to.deep.equal([]);
    });
  });

  describe('after it has left the organization', () => {
    const where = () => ota.knex('edge_devices').where({ id: fleet.device.id });
    let before: DeviceHistory;

    beforeEach(async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'completed');
      before = await history();
    });

    it('G14 its old organization sees its history as it was, and nothing newer', async () => {
      const next = await createFleet(ota, 0);
      await where().update({
        organization_id: next.organizationId,
        device_name: 'elsewhere',
        firmware_version: 'v9.9.9',
        metadata: JSON.stringify({ site: 'elsewhere' }),
      });
      await next.rollOut({ target_version: 'v10.0.0' });

      await fleet.get(`/devices/${fleet.device.id}`).expect(404);
      const after = await history();
      expect(after.targets.map(({ protection: _, components: __, ...rest }) => rest)).to.deep.equal(
        before.targets.map(({ protection: _, components: __, ...rest }) => rest),
      );
      expect(JSON.stringify(after)).not.to.match(/elsewhere|v9\.9\.9|v10/);

      // Its new organization sees nothing of the time before.
      const found = await detail(fleet.device, next);
      expect(found).to.deep.include({
        device_name: 'elsewhere',
        attributes: { site: 'elsewhere' },
      });
      expect(found.current?.target_version).to.equal('v10.0.0');
      const { targets } = await history('', fleet.device, next);
      expect(targets.map((target) => target.target_version)).to.deep.equal(['v10.0.0']);
    });

    it('G14 its history stays when it is removed', async () => {
      await where().delete();
      await fleet.get(`/devices/${fleet.device.id}`).expect(404);
      const { targets } = await history();
      expect(targets[0]).to.include({
        device_name: before.targets[0]?.device_name,
        current_version: 'v2.1.0',
      });
    });

    it('it is unknown while it is only announced', async () => {
      await where().update({ device_id: `pending-${randomUUID()}`, status: 'pending' });
      await fleet.get(`/devices/${fleet.device.id}`).expect(404);
      expect((await history()).targets).to.have.length(1);
    });
  });

  it('G14 another organization does not learn whether a device exists', async () => {
    fleet = await createFleet(ota, 1);
    await fleet.rollOut();
    const other = await createFleet(ota, 1);
    for (const path of ['', '/history']) {
      const answers = await Promise.all(
        [fleet.device.id, randomUUID()].map((id) => other.get(`/devices/${id}${path}`).expect(404)),
      );
      expect(answers[0]?.body).to.deep.equal(answers[1]?.body);
    }
  });

  it('has no attributes where the host keeps none', async () => {
    const plain = await startOta();
    try {
      await plain.knex.schema.alterTable('edge_devices', (table) => table.dropColumn('metadata'));
      fleet = await createFleet(plain, 1);
      expect((await detail()).attributes).to.deep.equal({});
    } finally {
      await plain.close();
    }
  });
});

/** Copies a deployment `count` times, with the same time of creation. */
async function copyDeployment(
  knex: Knex,
  id: string,
  count: number,
  { withTargets }: { withTargets: boolean },
): Promise<void> {
  await knex.transaction(async (tx) => {
    // Precise to the microsecond, as in tables of an earlier release.
    await tx.raw(
      `UPDATE ota_deployments SET created_at = created_at + interval '123 microseconds' WHERE id = ?`,
      [id],
    );
    await tx.raw(
      `CREATE TEMPORARY TABLE copy_ids ON COMMIT DROP AS
       SELECT gen_random_uuid() AS id FROM generate_series(1, ?)`,
      [count],
    );
    const tables = withTargets ? ['ota_deployment_batches', 'ota_deployment_devices'] : [];
    await copyRows('ota_deployments', 'id');
    for (const table of tables) await copyRows(table, 'deployment_id');

    async function copyRows(table: string, key: string): Promise<void> {
      await tx.raw(
        `INSERT INTO ${table} SELECT (jsonb_populate_record(source, jsonb_build_object('${key}', copy_ids.id))).*
         FROM ${table} source, copy_ids WHERE source.${key} = ?`,
        [id],
      );
    }
  });
}
