import { expect } from 'chai';
import type {
  CreateDeploymentRequest,
  DeploymentImpact,
} from '../../backend/contract/admin-api.ts';
import {
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('the impact of a rollout', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 6, { deviceType: 'pump', firmwareVersion: 'v2.0.0' });
    await fleet.addDevices(2, { deviceType: 'valve', firmwareVersion: 'v3.0.0' });
    await fleet.addDevices(1, { deviceType: 'valve', firmwareVersion: 'v2.1.0' });
  });

  async function ofDraft(
    request: Partial<CreateDeploymentRequest> = {},
  ): Promise<DeploymentImpact> {
    const answer = await fleet.post('/deployments/impact', deploymentRequest(request)).expect(200);
    return answer.body as DeploymentImpact;
  }
  async function of(id: string): Promise<DeploymentImpact> {
    return (await fleet.get(`/deployments/${id}/impact`).expect(200)).body as DeploymentImpact;
  }

  it('G42 is the same for a draft and for the deployment created from it', async () => {
    await fleet.poll(fleet.devices[0]!, undefined, { protection: 'none' });
    await fleet.poll(fleet.devices[1]!, undefined, { protection: 'slots' });
    const predicted = await ofDraft({ skip_up_to_date: true });
    expect(predicted).to.deep.equal({
      devices: 8,
      fleet_devices: 9,
      changes: { upgrade: 6, downgrade: 2, same: 0, unknown: 0 },
      protection: { none: 1, files: 0, files_and_boot: 0, slots: 1, unknown: 6 },
      by_type: [
        { device_type: 'pump', count: 6 },
        { device_type: 'valve', count: 2 },
      ],
      overlapping: [],
      confirm_because: ['downgrade', 'several_types', 'large_share'],
    });
    const { deployment_id: id } = await fleet.create({ skip_up_to_date: true });
    expect(await of(id)).to.deep.equal(predicted);
  });

  it('G42 follows the filters and the current versions of the devices', async () => {
    const pumps = { device_filters: { device_type: 'pump' }, rollout_strategy: 'canary' } as const;
    const predicted = await ofDraft(pumps);
    expect(predicted.changes).to.deep.equal({ upgrade: 6, downgrade: 0, same: 0, unknown: 0 });
    expect(predicted.confirm_because).to.deep.equal([]);
    const { deployment_id: id } = await fleet.create(pumps);
    await ota
      .knex('edge_devices')
      .where({ id: fleet.device.id })
      .update({ firmware_version: 'v2.2.0' });
    const now = await of(id);
    expect(now.changes).to.deep.equal({ upgrade: 5, downgrade: 1, same: 0, unknown: 0 });
    expect(now.confirm_because).to.deep.equal(['downgrade']);
  });

  it('G42 lists deployments in which the same devices are unfinished', async () => {
    const [first, second, third] = fleet.devices;
    const id = await fleet.rollOut({
      deployment_name: 'Earlier',
      target_version: 'v2.0.5',
      device_ids: [first!.id, second!.id, third!.id],
    });
    await fleet.create({ deployment_name: 'Never started' });
    await fleet.reports(third!, id, 'completed');
    const earlier = {
      deployment_id: id,
      deployment_name: 'Earlier',
      target_version: 'v2.0.5',
      status: 'in_progress',
      devices: 2,
    };
    expect((await ofDraft()).overlapping).to.deep.equal([earlier]);
    const { deployment_id: other } = await fleet.create({ device_ids: [first!.id, third!.id] });
    expect((await of(other)).overlapping).to.deep.equal([{ ...earlier, devices: 1 }]);
    expect((await of(id)).overlapping).to.deep.equal([]);
    await fleet.act(id, 'pause');
    expect((await ofDraft()).overlapping).to.deep.equal([{ ...earlier, status: 'paused' }]);
    await fleet.act(id, 'cancel');
    expect((await ofDraft()).overlapping).to.deep.equal([]);
  });

  it("never includes another organization's devices", async () => {
    const { deployment_id: id } = await fleet.create();
    const other = await createFleet(ota, 1);
    await other.get(`/deployments/${id}/impact`).expect(404);
    const { body } = await other.post('/deployments/impact', deploymentRequest()).expect(200);
    expect((body as DeploymentImpact).fleet_devices).to.equal(1);
    expect((body as DeploymentImpact).devices).to.equal(1);
  });
});
