import { expect } from 'chai';
import type { CreatedDeployment, DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { OpsCenter } from './support/ops-center.ts';
import { followQuickStart } from './support/quick-start.ts';
import { basicInfo, next, targetDevices, updatePackage } from './support/wizard.ts';

describe('page: the steps of the quick start', function () {
  this.timeout(90_000);
  let ops: OpsCenter;
  let devices: DeviceClient[];

  before(async function () {
    ops = await OpsCenter.open(this);
    devices = await ops.addDevices(45, { firmwareVersion: 'v1.9.0' });
    await ops.addDevices(3, { firmwareVersion: 'v2.0.0', namePrefix: 'current' });
    await ops.addDevices(2, { firmwareVersion: 'v1.9.0', namePrefix: 'off', status: 'offline' });
    await ops.addDevices(4, {
      firmwareVersion: 'v1.9.0',
      deviceType: 'nvidia_jetson',
      namePrefix: 'j',
    });
  });
  after(() => ops?.close());

  it('leads from the navigation to a finished canary', async () => {
    const page = await ops.signIn('/admin/edge/devices');
    // 1. Navigate to OTA Deployments
    await page.getByRole('link', { name: 'OTA Deployments' }).click();
    await page.waitForURL('**/admin/edge/ota');
    const created = await followQuickStart(page, devices);
    const detail = await ops.api<DeploymentDetail>('GET', `/deployments/${created.id}`);
    expect(detail.metadata).to.deep.include({
      checksum: created.entries.checksum,
      release_notes: created.entries.releaseNotes,
      device_filters: {
        device_type: 'raspberry_pi',
        current_version: 'v2.0.0',
        version_operator: '!=',
        status: 'online',
      },
    });
  });

  it('shows validation errors of the server at their fields', async () => {
    const page = await ops.signIn('/admin/edge/ota/new');
    const entries = { name: 'Too many', version: 'v9', strategy: 'Rolling' as const };
    await basicInfo(page, entries);
    await page.getByRole('radio', { name: 'Number of devices' }).check();
    await page.getByLabel('Batch Size').fill('999999999999');
    await next(page);
    await next(page);
    await updatePackage(page, entries);
    await next(page);
    await page.getByRole('button', { name: 'Create Deployment' }).click();
    await page.getByText('1 field needs attention').waitFor();
    const field = page.getByLabel('Batch Size');
    expect(await field.getAttribute('aria-invalid')).to.equal('true');
    const [error] = ((await field.getAttribute('aria-describedby')) ?? '').split(' ');
    expect(await page.locator(`[id="${error}"]`).innerText()).to.include('batch_size');
    await field.fill('10');
    await page.locator(`[id="${error}"]`).waitFor({ state: 'detached' });
  });

  it('keeps a draft over a reload', async () => {
    const page = await ops.signIn('/admin/edge/ota/new');
    const entries = {
      name: 'Half done',
      version: 'v3.0.0',
      strategy: 'Rolling' as const,
      deviceType: 'nvidia_jetson',
    };
    await basicInfo(page, entries);
    await next(page);
    await targetDevices(page, entries);
    await page.getByText('Draft saved in this tab').waitFor();
    await page.reload();
    expect(await page.getByLabel('Device Type').inputValue()).to.equal('nvidia_jetson');
    await page.getByRole('button', { name: 'Back', exact: true }).click();
    expect(await page.getByLabel('Deployment Name').inputValue()).to.equal('Half done');
    expect(await page.getByRole('radio', { name: /^Rolling/ }).isChecked()).to.equal(true);
  });

  it('opens a deployment and its filters by URL', async () => {
    const { deployment_id: id } = await ops.api<CreatedDeployment>('POST', '/deployments', {
      deployment_name: 'Linked',
      target_version: 'v4.0.0',
      rollout_strategy: 'canary',
      rollout_percentage: 50,
      device_filters: { device_type: 'nvidia_jetson' },
      update_package_url: 'https://cdn.example.com/updates/v4.0.0.tar.gz',
      checksum: 'cd'.repeat(32),
    });
    const page = await ops.signIn(`/admin/edge/ota/${id}?batch=2&status=pending`);
    await page.getByRole('heading', { name: 'Linked' }).waitFor();
    await page.getByText('2 of 2 devices loaded').waitFor();
  });
});
