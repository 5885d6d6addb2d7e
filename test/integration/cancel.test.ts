import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('cancelling a deployment', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 4);
  });

  after(() => ota.close());

  it('F68 skips all pending targets at once, released or not', async () => {
    const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 50 });
    const detail = await fleet.act(id, 'cancel');
    expect([detail.status, detail.phase]).to.deep.equal(['cancelled', 'ended']);
    expect(detail.progress).to.include({ skipped: 4, pending: 0, percentage: 0 });
    expect(detail.completed_at).to.be.a('string');
    for (const device of fleet.devices) expect(await fleet.offered(device)).to.equal(null);
  });

  it('F68 is possible while paused and clears the pause', async () => {
    const id = await fleet.rollOut();
    await fleet.act(id, 'pause');
    const detail = await fleet.act(id, 'cancel');
    expect([detail.status, detail.paused_reason]).to.deep.equal(['cancelled', null]);
    expect(detail.progress).to.include({ skipped: 4, pending: 0 });
  });

  it('F68 is possible before the start', async () => {
    const { deployment_id: id } = await fleet.create();
    const detail = await fleet.act(id, 'cancel');
    expect(detail.progress.skipped).to.equal(4);
  });

  for (const report of ['downloading', 'installing'] as const) {
    it(`F68 tells a downloading device to stop when it reports ${report}`, async () => {
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading');
      await fleet.act(id, 'cancel');
      const answer = await fleet.report(fleet.device, id, report).expect(200);
      expect(answer.body).to.include({ status: 'success', directive: 'abort' });
    });
  }

  it('F68 accepts skipped from a device that stopped before the installation', async () => {
    const id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'downloading');
    await fleet.act(id, 'cancel');
    await fleet.reports(fleet.device, id, 'skipped');
    const target = await fleet.target(id, fleet.device);
    expect(target.status).to.equal('skipped');
    expect((await fleet.detail(id)).progress).to.include({ skipped: 4, in_progress: 0 });
    expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
  });

  for (const status of ['installing', 'verifying'] as const) {
    it(`F68 lets a device finish that is ${status}`, async () => {
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading', status);
      await fleet.act(id, 'cancel');
      const answer = await fleet.report(fleet.device, id, status).expect(200);
      expect(answer.body).to.include({ directive: 'continue' });
    });
  }

  for (const [status, version] of [
    ['completed', 'v2.1.0'],
    ['failed', 'v2.0.0'],
    ['rolled_back', 'v2.0.0'],
  ] as const) {
    it(`F68 records the result ${status} of an updating device and stays cancelled`, async () => {
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await fleet.act(id, 'cancel');
      await fleet.reports(fleet.device, id, status);
      const detail = await fleet.detail(id);
      expect(detail.status).to.equal('cancelled');
      expect(detail.progress).to.include({ [status]: 1, skipped: 3, in_progress: 0 });
      expect(await fleet.installedVersion(fleet.device)).to.equal(version);
    });
  }

  it('F68 rejects the first report of a device that got its offer before the cancel', async () => {
    const id = await fleet.rollOut();
    expect(await fleet.offered(fleet.device)).to.equal(id);
    await fleet.act(id, 'cancel');
    const answer = await fleet.report(fleet.device, id, 'downloading');
    expect([answer.status, (answer.body as Problem).code]).to.deep.equal([409, 'stale_status']);
    expect((await fleet.target(id, fleet.device)).status).to.equal('skipped');
  });

  it('F68 records the result if such a device updates anyway', async () => {
    const id = await fleet.rollOut();
    await fleet.act(id, 'cancel');
    await fleet.reports(fleet.device, id, 'completed');
    expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
    expect((await fleet.detail(id)).progress).to.include({ completed: 1, skipped: 3 });
  });
});
