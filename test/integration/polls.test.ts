import { expect } from 'chai';
import { KnexDeviceRepository } from '../../backend/devices/device.repository.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('a polling device', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });

  after(() => ota.close());

  describe('with an unfinished update', () => {
    it('does not time out while the deployment is paused, and is offered the update after the resume', async () => {
      fleet = await createFleet(ota, 2);
      const [device, other] = fleet.devices;
      const id = await fleet.rollOut({
        policy: { device_timeout_minutes: 1, failure_threshold_percent: null },
      });
      await fleet.reportAll([device!, other!], id, 'downloading');
      await fleet.act(id, 'pause');
      await ota.knex.raw(
        `UPDATE ota_deployment_devices SET last_report_at = last_report_at - interval '59 seconds'
         WHERE deployment_id = ?`,
        [id],
      );
      expect(await fleet.offered(device!)).to.equal(null);
      // The device that does not poll times out.
      await waitFor(async () => (await fleet.target(id, other!)).status === 'failed', {
        timeout: 20_000,
        describe: 'the other device times out',
      });
      expect(await fleet.target(id, device!)).to.include({ status: 'downloading' });
      await fleet.act(id, 'resume');
      expect(await fleet.offered(device!)).to.equal(id);
      await fleet.reports(device!, id, 'downloading', 'completed');
    });

    it('is skipped if the deployment is cancelled, and is offered the next one at once', async () => {
      fleet = await createFleet(ota, 3);
      const [device, other] = fleet.devices;
      const id = await fleet.rollOut();
      await fleet.reports(device!, id, 'downloading', 'installing');
      await fleet.reports(other!, id, 'downloading');
      await fleet.act(id, 'cancel');
      const next = await fleet.rollOut({ target_version: 'v3.0.0' });
      expect(await fleet.offered(device!)).to.equal(next);
      expect(await fleet.target(id, device!)).to.include({ status: 'skipped' });
      // The device that does not poll is still updating.
      expect(await fleet.target(id, other!)).to.include({ status: 'downloading' });
      expect((await fleet.detail(id)).status_breakdown).to.include({ skipped: 2, downloading: 1 });
    });

    it('is told to stop if it reports downloading after that', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading');
      await fleet.act(id, 'cancel');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      const answer = await fleet.report(fleet.device, id, 'downloading').expect(200);
      expect(answer.body).to.include({ directive: 'abort' });
      expect(await fleet.target(id, fleet.device)).to.include({ status: 'skipped' });
    });

    it('can still report its result after that', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading', 'installing', 'verifying');
      await fleet.act(id, 'cancel');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      await fleet.reports(fleet.device, id, 'completed');
      expect(await fleet.target(id, fleet.device)).to.include({ status: 'completed' });
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
    });
  });

  it('G26 causes manifest and release notes to be read only if they can be offered', async () => {
    fleet = await createFleet(ota, 1);
    const { deployment_id: id } = await fleet.create();
    await ota.knex('ota_deployments').where({ id }).update({ manifest: 'long' });
    const devices = new KnexDeviceRepository(ota.knex);
    const read = async () => {
      const { id: deviceId } = fleet.device;
      const { organizationId } = fleet;
      const known = await devices.lookUp([
        { deviceId, organizationId, version: null, profile: null },
      ]);
      return known
        .get(deviceId)
        ?.open.map(({ manifest, releaseNotes }) => [manifest, releaseNotes]);
    };
    expect(await read()).to.deep.equal([[null, '']]);
    await fleet.act(id, 'start');
    await fleet.untilReleased(id, 1);
    expect(await read()).to.deep.equal([['long', 'Bug fixes and performance improvements']]);
  });

  describe('that reports its version', () => {
    const changes = async (id: string) =>
      (await fleet.events(id)).filter(({ type }) => type === 'version_changed_outside');

    it('updates the recorded version and adds an event to its last deployment', async () => {
      fleet = await createFleet(ota, 2);
      const first = await fleet.rollOut({ device_ids: [fleet.device.id] });
      await fleet.reports(fleet.device, first, 'completed');
      const second = await fleet.rollOut({
        target_version: 'v2.2.0',
        device_ids: [fleet.device.id],
      });
      await fleet.reports(fleet.device, second, 'completed');
      await fleet.poll(fleet.device, 'v9-by-hand');
      await fleet.poll(fleet.device, 'v9-by-hand');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v9-by-hand');
      expect(await changes(first)).to.deep.equal([]);
      const [change, ...more] = await changes(second);
      expect(more).to.deep.equal([]);
      expect(change).to.deep.include({
        device_id: fleet.device.id,
        data: { version: 'v9-by-hand', recorded_version: 'v2.2.0' },
      });
      // A device without deployments has no timeline, but its version is recorded.
      await fleet.poll(fleet.devices[1]!, 'v7');
      expect(await fleet.installedVersion(fleet.devices[1]!)).to.equal('v7');
    });

    it('changes nothing by an equal version, during an update, or with an unusable version', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading', 'installing', 'verifying');
      await fleet.poll(fleet.device, 'v2.1.0');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
      await fleet.reports(fleet.device, id, 'completed');
      for (const version of ['2.1', 'V2.1.0', '', 'x'.repeat(51), 'a\u0000b']) {
        await fleet.poll(fleet.device, version);
        expect(await fleet.installedVersion(fleet.device), version).to.equal('v2.1.0');
      }
      await fleet
        .post(`/deployments/${id}/devices/${fleet.device.id}/rollback`)
        .send({})
        .expect(202);
      await fleet.poll(fleet.device, 'v2.0.0');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
      expect(await changes(id)).to.deep.equal([]);
    });

    it('adds no event if no version was recorded before', async () => {
      fleet = await createFleet(ota, 1);
      await ota
        .knex('edge_devices')
        .where({ id: fleet.device.id })
        .update({ firmware_version: null });
      await fleet.poll(fleet.device, 'v5');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v5');
    });

    it('gets its offer even if the version cannot be stored', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await ota.knex.raw(
        `ALTER TABLE edge_devices ADD CONSTRAINT no_nines CHECK (firmware_version <> 'v99') NOT VALID`,
      );
      try {
        const answer = await fleet.poll(fleet.device, 'v99');
        expect(answer).to.include({ update_available: true, deployment_id: id });
      } finally {
        await ota.knex.raw('ALTER TABLE edge_devices DROP CONSTRAINT no_nines');
      }
    });
  });
});
