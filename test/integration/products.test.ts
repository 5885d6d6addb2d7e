import { expect } from 'chai';

import type {
  CreateDeploymentRequest,
  DeploymentImpact,
  DeploymentPreview,
  OtaMetrics,
} from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { StatusReport } from '../../backend/contract/device-api.ts';
import type { SeededDevice } from '../support/seed.ts';
import { manifestOf, newKeyPair, signManifest } from '../support/signing-fixtures.ts';
import {
  createFleet,
  deploymentRequest,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

const key = newKeyPair();

/** A package by name, with a manifest. */
function packageOf(
  name: string,
  version: string,
  request: Partial<CreateDeploymentRequest> = {},
): Partial<CreateDeploymentRequest> {
  const signed = signManifest(manifestOf({ name, version }), key);
  return { deployment_name: name, target_version: version, ...signed, ...request };
}

describe('several products on a device', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let device: SeededDevice;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 2, { firmwareVersion: 'v1.0.0' });
    device = fleet.device;
  });

  const tell = (components: object, of = device) =>
    fleet.poll(of, 'v1.0.0', { components: JSON.stringify(components) });
  const app = (version: string, request?: Partial<CreateDeploymentRequest>) =>
    packageOf('app', version, request);
  const os = (version: string) => packageOf('os', version);
  const completed: StatusReport = { status: 'completed', component: 'app' };
  const componentsOf = async (id: string) => (await fleet.target(id, device)).components;

  describe('do not supersede each other', () => {
    it('when the newer one completes', async () => {
      const first = await fleet.rollOut(os('v2.0.0'));
      const nameless = await fleet.rollOut({ target_version: 'v2.0.0' });
      const other = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, other, completed);
      expect(await fleet.target(first, device)).to.include({ status: 'pending' });
      // A deployment without a manifest may be for any product.
      expect(await fleet.target(nameless, device)).to.include({ status: 'skipped' });
      expect(await fleet.offered(device)).to.equal(first);
    });

    it('when the older one is retried or rolled back', async () => {
      const first = await fleet.rollOut(os('v2.0.0'));
      await fleet.reports(device, first, 'failed');
      const other = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, other, completed);
      await fleet.act(first, 'retry');
      await fleet.reports(device, first, { status: 'completed', attempt: 2 });
      expect(await fleet.installedVersion(device)).to.equal('v2.0.0');
      await fleet.post(`/deployments/${first}/devices/${device.id}/rollback`).expect(202);
    });

    it('but two releases of one do', async () => {
      const first = await fleet.rollOut(app('v2.0.0'));
      await fleet.reports(device, first, 'failed');
      const second = await fleet.rollOut(app('v2.1.0'));
      const third = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, third, completed);
      expect(await fleet.target(second, device)).to.include({ status: 'skipped' });
      const retry = await fleet.post(`/deployments/${first}/retry`, { device_ids: [device.id] });
      expect(retry.status).to.equal(409);
      const rollback = await fleet.post(`/deployments/${first}/devices/${device.id}/rollback`, {
        previous_version: 'v1',
      });
      expect((rollback.body as Problem).code).to.equal('newer_version_installed');
    });
  });

  describe('have versions of their own', () => {
    it('which a component reports without changing that of the device', async () => {
      await tell({ os: 'v1.0.0', app: 'v2.0.0' });
      const id = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, id, { status: 'installing', component: 'app' });
      expect(await fleet.target(id, device)).to.include({
        current_version: 'v2.0.0',
        previous_version: 'v2.0.0',
      });
      await fleet.reports(device, id, completed);
      expect(await fleet.target(id, device)).to.include({ current_version: 'v3.0.0' });
      expect(await componentsOf(id)).to.deep.equal({ os: 'v1.0.0', app: 'v3.0.0' });
      expect(await fleet.installedVersion(device)).to.equal('v1.0.0');
    });

    it('which a rollback restores', async () => {
      await tell({ app: 'v2.0.0' });
      const id = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, id, completed);
      const rollback = await fleet.post(`/deployments/${id}/devices/${device.id}/rollback`);
      expect(rollback.status).to.equal(202);
      const order = await fleet.poll(device, 'v1.0.0');
      expect(order).to.deep.include({
        rollback: { deployment_id: id, version: 'v2.0.0', attempt: 1 },
      });
      await fleet.reports(device, id, { status: 'rolled_back', component: 'app' });
      expect(await componentsOf(id)).to.deep.equal({ app: 'v2.0.0' });
      expect(await fleet.installedVersion(device)).to.equal('v1.0.0');
    });

    it('which the main product shares with the device', async () => {
      await tell({ os: 'v1.0.0', app: 'v2.0.0' });
      const id = await fleet.rollOut(os('v2.0.0'));
      await fleet.reports(device, id, 'completed');
      expect(await fleet.installedVersion(device)).to.equal('v2.0.0');
      expect(await componentsOf(id)).to.deep.equal({ os: 'v2.0.0', app: 'v2.0.0' });
    });

    it('which are those of the device if it has reported no components', async () => {
      for (const components of [null, {}]) {
        if (components) await tell(components);
        const id = await fleet.rollOut(os('v2.0.0'));
        expect(await fleet.target(id, device)).to.include({
          current_version: 'v1.0.0',
          previous_version: 'v1.0.0',
        });
        await fleet.reports(device, id, 'downloading', 'failed');
      }
    });

    it('which are unknown if it has reported others only', async () => {
      await tell({ os: 'v1.0.0' });
      const id = await fleet.rollOut(
        app('v1.0.0', { skip_up_to_date: true, device_ids: [device.id] }),
      );
      await fleet.reports(device, id, { status: 'downloading', component: 'app' });
      expect(await fleet.target(id, device)).to.include({
        current_version: null,
        previous_version: null,
      });
      await fleet.reports(device, id, completed);
      const rollback = await fleet.post(`/deployments/${id}/devices/${device.id}/rollback`);
      expect((rollback.body as Problem).code).to.equal('previous_version_unknown');
    });

    it('which an older release of the same product does not overwrite', async () => {
      await tell({ app: 'v2.0.0' });
      const older = await fleet.rollOut(app('v2.1.0'));
      await fleet.reports(device, older, { status: 'installing', component: 'app' });
      await ota
        .knex('ota_deployment_devices')
        .where({ deployment_id: older, device_id: device.id })
        .update({ status: 'failed', timed_out: true, completed_at: new Date() });
      const newer = await fleet.rollOut(app('v3.0.0'));
      await fleet.reports(device, newer, completed);
      await fleet.reports(device, older, completed);
      expect(await componentsOf(newer)).to.deep.equal({ app: 'v3.0.0' });
    });
  });

  it('are told apart when devices are selected', async () => {
    const [first, second] = fleet.devices;
    await tell({ app: 'v3.0.0' }, first);
    await tell({ app: 'v2.0.0' }, second);
    const request = deploymentRequest({
      ...app('v3.0.0', { skip_up_to_date: true }),
      // Filters compare the version of the device.
      device_filters: { current_version: 'v1.0.0', version_operator: '=' },
    });
    const preview = (await fleet.post('/deployments/preview', request).expect(200))
      .body as DeploymentPreview;
    expect(preview).to.deep.include({
      matching_devices: 1,
      up_to_date: 1,
      by_version: [{ version: 'v2.0.0', count: 1 }],
    });
    const impact = (await fleet.post('/deployments/impact', request).expect(200))
      .body as DeploymentImpact;
    expect(impact.changes).to.deep.equal({ upgrade: 1, downgrade: 0, same: 0, unknown: 0 });
    const { deployment_id: id } = await fleet.create(request);
    const targets = await fleet.targets(id);
    expect(targets.map((target) => target.device_id)).to.deep.equal([second!.id]);
    const started = (await fleet.get(`/deployments/${id}/impact`).expect(200))
      .body as DeploymentImpact;
    expect(started).to.deep.equal(impact);
  });

  it('count for compliance by their own versions', async () => {
    await tell({ os: 'v1.0.0', app: 'v2.0.0' });
    await tell({ os: 'v1.0.0', app: 'v2.0.0' }, fleet.devices[1]);
    const id = await fleet.rollOut(app('v3.0.0'));
    await fleet.reports(device, id, completed);
    for (const path of ['/metrics', `/metrics?deployment_id=${id}`]) {
      const { body } = await fleet.get(path).expect(200);
      expect((body as OtaMetrics).compliance, path).to.equal(50);
    }
    const { body } = await fleet.get(`/metrics?deployment_id=${id}`);
    expect((body as OtaMetrics).versions.map(({ version }) => version)).to.have.members([
      'v2.0.0',
      'v3.0.0',
    ]);
  });
});
