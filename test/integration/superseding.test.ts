import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('superseding older deployments', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 2);
  });

  after(() => ota.close());

  it('skips released targets of older deployments and names the newer one', async () => {
    const old = await fleet.rollOut({ deployment_name: 'Old' });
    const newer = await fleet.rollOut({ deployment_name: 'Newer', target_version: 'v3.0.0' });
    await fleet.reports(fleet.device, newer, 'downloading', 'completed');
    const target = await fleet.target(old, fleet.device);
    expect(target.status).to.equal('skipped');
    expect(target.error_message)
      .to.match(/^superseded by /)
      .and.include('Newer');
    expect((await fleet.target(old, fleet.devices[1]!)).status).to.equal('pending');
    expect(await fleet.offered(fleet.device)).to.equal(null);
  });

  it('skips unreleased targets of older deployments', async () => {
    const { deployment_id: old } = await fleet.create();
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reportAll(fleet.devices, newer, 'completed');
    expect((await fleet.detail(old)).progress.skipped).to.equal(2);
    const started = await fleet.act(old, 'start');
    expect(started.status).to.equal('completed');
    expect(await fleet.offered(fleet.device)).to.equal(null);
  });

  it('does not skip targets of newer deployments', async () => {
    const old = await fleet.rollOut();
    const { deployment_id: newer } = await fleet.create({ target_version: 'v3.0.0' });
    await fleet.reports(fleet.device, old, 'completed');
    expect((await fleet.target(newer, fleet.device)).status).to.equal('pending');
  });

  it('does not happen if the newer deployment fails', async () => {
    const old = await fleet.rollOut();
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reports(fleet.device, newer, 'downloading', 'failed');
    expect((await fleet.target(old, fleet.device)).status).to.equal('pending');
    expect(await fleet.offered(fleet.device)).to.equal(old);
  });

  it('adds an event to the older deployment, which finishes with its last target', async () => {
    const old = await fleet.rollOut();
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reportAll(fleet.devices, newer, 'completed');
    expect((await fleet.detail(old)).status).to.equal('completed');
    const skipped = (await fleet.events(old)).filter((event) => event.type === 'devices_skipped');
    expect(skipped.length).to.be.at.least(1);
    expect(skipped[0]?.data).to.include({ reason: 'superseded', by_deployment_id: newer });
  });

  it('keeps a retry of the older deployment from installing the old version', async () => {
    const old = await fleet.rollOut();
    await fleet.reportAll(fleet.devices, old, 'failed');
    const newer = await fleet.rollOut({
      target_version: 'v3.0.0',
      device_ids: [fleet.device.id],
    });
    await fleet.reports(fleet.device, newer, 'completed');
    await fleet.act(old, 'retry');
    expect(await fleet.offered(fleet.device)).to.equal(null);
    expect(await fleet.offered(fleet.devices[1]!)).to.equal(old);
    expect((await fleet.target(old, fleet.device)).status).to.equal('failed');
  });

  it('makes a retry fail that only has superseded devices', async () => {
    const old = await fleet.rollOut();
    await fleet.reportAll(fleet.devices, old, 'failed');
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reportAll(fleet.devices, newer, 'completed');
    for (const body of [{}, { device_ids: [fleet.device.id] }]) {
      const answer = await fleet.post(`/deployments/${old}/retry`, body);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([409, 'invalid_state']);
    }
    expect((await fleet.detail(old)).status).to.equal('failed');
  });

  it('keeps a late result of an older deployment from overwriting the newer version', async () => {
    const old = await fleet.rollOut();
    await fleet.reports(fleet.device, old, 'installing');
    await ota
      .knex('ota_deployment_devices')
      .where({ deployment_id: old, device_id: fleet.device.id })
      .update({ status: 'failed', timed_out: true });
    await ota.knex.raw(
      `UPDATE ota_deployment_batches SET installing = installing - 1, failed = failed + 1
       WHERE deployment_id = ?`,
      [old],
    );
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reports(fleet.device, newer, 'completed');
    await fleet.reports(fleet.device, old, 'completed');
    expect((await fleet.target(old, fleet.device)).status).to.equal('completed');
    expect(await fleet.installedVersion(fleet.device)).to.equal('v3.0.0');
  });

  it('does not affect other organizations', async () => {
    const other = await createFleet(ota, 1);
    const theirs = await other.rollOut();
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    await fleet.reportAll(fleet.devices, newer, 'completed');
    expect((await other.target(theirs, other.device)).status).to.equal('pending');
  });
});
