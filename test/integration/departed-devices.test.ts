import { randomUUID } from 'node:crypto';

import { expect } from 'chai';

import type { TargetPage } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';
import type { SeededDevice } from '../support/seed.ts';

const UNFINISHED = ['pending', 'downloading', 'installing', 'verifying'] as const;

/** How a device leaves its organization, by skip reason. */
const DEPARTURES = {
  removed: (ota: OtaServer, device: SeededDevice) =>
    ota.knex('edge_devices').where({ id: device.id }).delete(),
  moved: (ota: OtaServer, device: SeededDevice) =>
    ota
      .knex('edge_devices')
      .where({ id: device.id })
      .update({
        organization_id: ota.host.otherOrganizationId,
        device_name: `elsewhere-${randomUUID()}`,
        firmware_version: 'v9.9.9',
      }),
  not_registered: (ota: OtaServer, device: SeededDevice) =>
    ota
      .knex('edge_devices')
      .where({ id: device.id })
      .update({ device_id: `pending-${randomUUID()}`, status: 'pending' }),
};

describe('devices that left the organization', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1, reconcile_seconds: 1 } });
  });
  after(() => ota.close());

  for (const [reason, leave] of Object.entries(DEPARTURES)) {
    for (const paused of [false, true]) {
      it(`G15 skips unfinished targets as ${reason}${paused ? ' in a paused deployment' : ''}`, async () => {
        fleet = await createFleet(ota, UNFINISHED.length + 1);
        const id = await fleet.rollOut({ policy: { pickup_timeout_hours: null } });
        const [stays, ...gone] = fleet.devices as [SeededDevice, ...SeededDevice[]];
        for (const [index, status] of UNFINISHED.entries()) {
          const device = gone[index] as SeededDevice;
          if (status !== 'pending') await fleet.reports(device, id, status);
        }
        if (paused) await fleet.act(id, 'pause');
        for (const device of gone) await leave(ota, device);
        const { progress, status } = await fleet.until(
          id,
          (detail) => detail.progress.skipped === gone.length,
        );
        expect(progress).to.include({ failed: 0, pending: 1 });
        expect(status).to.equal(paused ? 'paused' : 'in_progress');
        const events = (await fleet.events(id)).filter(({ type }) => type === 'devices_skipped');
        expect(events.map(({ data }) => data?.['reason'])).to.deep.equal(gone.map(() => reason));
        const rows = await ota
          .knex('ota_deployment_devices')
          .where({ deployment_id: id, status: 'skipped' })
          .pluck('skip_reason');
        expect(rows).to.deep.equal(gone.map(() => reason));
        if (paused) await fleet.act(id, 'resume');
        await fleet.reports(stays, id, 'completed');
        expect((await fleet.detail(id)).status).to.equal('completed');
      });
    }

    it(`G15 rejects and cancels rollbacks of ${reason} devices and does not retry them`, async () => {
      fleet = await createFleet(ota, 3);
      const id = await fleet.rollOut();
      const [requested, late, failed] = fleet.devices as [SeededDevice, SeededDevice, SeededDevice];
      await fleet.reportAll([requested, late], id, 'completed');
      await fleet.reports(failed, id, 'failed');
      const rollback = (device: SeededDevice) =>
        fleet.post(`/deployments/${id}/devices/${device.id}/rollback`);
      await rollback(requested).expect(202);
      for (const device of fleet.devices) await leave(ota, device);
      const answer = await rollback(late);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([409, 'invalid_state']);
      expect((answer.body as Problem).detail).to.match(/removed|moved|never registered/);
      await fleet.until(id, ({ devices }) =>
        devices.every((target) => target.rollback_requested === null),
      );
      expect(await fleet.eventTypes(id)).to.include('rollback_withdrawn');
      for (const body of [{}, { device_ids: [failed.id] }]) {
        const retry = await fleet.post(`/deployments/${id}/retry`, body);
        expect([retry.status, (retry.body as Problem).code]).to.deep.equal([409, 'invalid_state']);
      }
    });
  }

  it('G14 shows a moved device to its previous organization as it was', async () => {
    fleet = await createFleet(ota, 2);
    const id = await fleet.rollOut();
    const [moved] = fleet.devices as [SeededDevice];
    await fleet.reports(moved, id, 'completed');
    const before = await fleet.target(id, moved);
    await DEPARTURES.moved(ota, moved);

    const after = await fleet.target(id, moved);
    expect(after).to.include({ device_name: before.device_name, current_version: 'v2.1.0' });
    const found = async (search: string) => {
      const answer = await fleet.get(`/deployments/${id}/devices?search=${search}`).expect(200);
      return (answer.body as TargetPage).devices.map(({ device_id }) => device_id);
    };
    expect(await found('elsewhere')).to.deep.equal([]);
    expect(await found('v9.9.9')).to.deep.equal([]);
    expect(await found(before.device_name ?? '')).to.deep.equal([moved.id]);
    expect(await found(moved.id)).to.deep.equal([moved.id]);
    expect(await found(moved.hardwareId)).to.deep.equal([]);
    expect(JSON.stringify(await fleet.detail(id))).not.to.match(/elsewhere|v9\.9\.9/);
  });

  it('G14 skips rather than fails a device that times out after it moved', async () => {
    fleet = await createFleet(ota, 5);
    const id = await fleet.rollOut({
      policy: { failure_min_devices: 1, device_timeout_minutes: 1 },
    });
    await fleet.reportAll(fleet.devices, id, 'downloading');
    for (const device of fleet.devices.slice(0, 4)) await DEPARTURES.moved(ota, device);
    await ota
      .knex('ota_deployment_devices')
      .where({ deployment_id: id })
      .whereNot({ device_id: fleet.devices[4]?.id })
      .update({ last_report_at: ota.knex.raw(`now() - interval '1 hour'`) });
    const { status, progress } = await fleet.until(id, (detail) => detail.progress.skipped === 4);
    expect(status).to.equal('in_progress');
    expect(progress).to.include({ failed: 0, in_progress: 1 });
  });
});
