import { expect } from 'chai';

import type { DeploymentPreview } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import {
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('devices that already run the target version', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 6);
    const versions = ['v2.1.0', '2.1', '2.1.0+build.7', '2.0.9', 'nightly', null];
    for (const [index, firmware_version] of versions.entries()) {
      await ota
        .knex('edge_devices')
        .where({ id: fleet.devices[index]?.id })
        .update({ firmware_version });
    }
  });

  after(() => ota.close());

  const preview = async (changes: object) => {
    const body = { ...deploymentRequest({ target_version: 'V2.1.0' }), ...changes };
    const answer = await fleet.post('/deployments/preview', body);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as DeploymentPreview;
  };

  it('G18 are counted by their version numbers and match by default', async () => {
    const answer = await preview({});
    expect([answer.matching_devices, answer.up_to_date]).to.deep.equal([6, 3]);
  });

  it('are left out of preview and creation with skip_up_to_date', async () => {
    const changes = { skip_up_to_date: true, target_version: '2.1.0' };
    const answer = await preview(changes);
    expect([answer.matching_devices, answer.up_to_date]).to.deep.equal([3, 3]);
    expect(answer.by_version.map(({ version }) => version)).to.have.members([
      '2.0.9',
      'nightly',
      null,
    ]);

    const { deployment_id: id } = await fleet.create(deploymentRequest(changes));
    const { devices, skip_up_to_date, total_devices } = await fleet.detail(id);
    expect([total_devices, skip_up_to_date]).to.deep.equal([3, true]);
    expect(devices.map(({ device_id }) => device_id)).to.have.members(
      fleet.devices.slice(3).map((device) => device.id),
    );
  });

  it('are updated again by default', async () => {
    const { deployment_id: id } = await fleet.create(deploymentRequest({ target_version: '2.1' }));
    const { skip_up_to_date, total_devices } = await fleet.detail(id);
    expect([total_devices, skip_up_to_date]).to.deep.equal([6, false]);
  });

  it('are compared as text if the version has no numbers', async () => {
    const answer = await preview({ target_version: 'nightly', skip_up_to_date: true });
    expect([answer.matching_devices, answer.up_to_date]).to.deep.equal([5, 1]);
    const other = await preview({ target_version: 'Nightly', skip_up_to_date: true });
    expect([other.matching_devices, other.up_to_date]).to.deep.equal([6, 0]);
  });

  it('are named as the reason if no other device matches', async () => {
    const body = deploymentRequest({
      target_version: 'v2.1',
      skip_up_to_date: true,
      device_filters: { device_ids: fleet.devices.slice(0, 3).map(({ id }) => id) },
    });
    const answer = await fleet.post('/deployments', body);
    expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
      422,
      'no_matching_devices',
    ]);
    expect((answer.body as Problem).detail).to.include('another version than v2.1');
  });

  it('are unknown in a preview without a version', async () => {
    for (const target_version of ['', undefined]) {
      expect((await preview({ target_version })).up_to_date).to.equal(null);
      const body = { ...deploymentRequest(), target_version, skip_up_to_date: true };
      const answer = await fleet.post('/deployments/preview', body);
      expect(answer.status).to.equal(400);
      expect((answer.body as Problem).errors?.[0]?.path).to.equal('skip_up_to_date');
    }
  });
});
