import { expect } from 'chai';

import type { DeploymentList, DeploymentPreview } from '../../backend/contract/admin-api.ts';
import {
  createFleet,
  deploymentRequest,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('the forecast of a deployment', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  beforeEach(async () => {
    fleet = await createFleet(ota, 24);
  });

  async function complete(id: string, count: number, seconds: number): Promise<void> {
    for (const target of (await fleet.targets(id, 'status=pending')).slice(0, count)) {
      const device = fleet.deviceById(target.device_id);
      await fleet.reports(device, id, 'downloading');
      await ota
        .knex('ota_deployment_devices')
        .where({ deployment_id: id, device_id: device.id })
        .update({ started_at: ota.knex.raw(`started_at - interval '1 second' * ?`, [seconds]) });
      await fleet.reports(device, id, 'completed');
    }
  }

  const secondsUntil = (time: string | null | undefined) =>
    (new Date(time ?? NaN).getTime() - Date.now()) / 1_000;

  it('is based on assumed durations until an update has completed, also in the preview', async () => {
    const preview = await fleet.post('/deployments/preview', deploymentRequest()).expect(200);
    const { forecast } = preview.body as DeploymentPreview;
    expect(forecast?.basis).to.deep.equal({
      durations: 'assumed',
      updates: 0,
      assumes: ['start'],
      not_polling: 0,
    });
    const created = await fleet.create();
    expect(created.forecast?.basis).to.deep.equal(forecast?.basis);
  });

  it('is null in a preview that matches no device', async () => {
    const request = deploymentRequest({ device_filters: { device_type: 'none' } });
    const preview = await fleet.post('/deployments/preview', request).expect(200);
    expect((preview.body as DeploymentPreview).forecast).to.equal(null);
  });

  it('uses the latest deployments of the organization, then its own', async () => {
    const first = await fleet.rollOut();
    await complete(first, 24, 1_200);
    const second = await fleet.rollOut();
    const before = (await fleet.detail(second)).forecast;
    expect(before?.basis).to.deep.include({ durations: 'recent_deployments', updates: 24 });
    expect(secondsUntil(before?.likely)).to.be.within(1_200, 3_600);
    await complete(second, 10, 10);
    const after = (await fleet.detail(second)).forecast;
    expect(after?.basis).to.deep.include({ durations: 'this_deployment', updates: 10 });
    expect(secondsUntil(after?.likely)).to.be.below(600);
  });

  it('uses no durations of another organization', async () => {
    const id = await fleet.rollOut();
    await complete(id, 24, 60);
    const other = await createFleet(ota, 5);
    expect((await other.create()).forecast?.basis.durations).to.equal('assumed');
  });

  it('is the same in the list, and null after the end', async () => {
    const id = await fleet.rollOut();
    const listed = async () =>
      ((await fleet.get('/deployments').expect(200)).body as DeploymentList).deployments[0]
        ?.forecast;
    expect((await listed())?.basis).to.deep.equal((await fleet.detail(id)).forecast?.basis);
    await complete(id, 24, 60);
    expect(await listed()).to.equal(null);
  });

  it('has no end while devices do not poll and are waited for without a limit', async () => {
    const id = await fleet.rollOut();
    await complete(id, 20, 60);
    await ota
      .knex('ota_deployment_batches')
      .where({ deployment_id: id })
      .update({ released_at: ota.knex.raw(`released_at - interval '1 hour'`) });
    const { forecast } = await fleet.detail(id);
    expect(forecast).to.deep.include({ likely: null, latest: null });
    expect(forecast?.basis.not_polling).to.equal(4);
  });

  it('starts at the scheduled time', async () => {
    const at = new Date(Date.now() + 86_400_000).toISOString();
    const created = await fleet.create({ scheduled_at: at });
    expect(secondsUntil(created.forecast?.earliest)).to.be.above(86_400);
    expect(created.forecast?.basis.assumes).to.deep.equal([]);
    const preview = await fleet
      .post('/deployments/preview', deploymentRequest({ scheduled_at: at }))
      .expect(200);
    const { forecast } = preview.body as DeploymentPreview;
    expect(secondsUntil(forecast?.earliest)).to.be.above(86_400);
  });
});
