import { expect } from 'chai';
import type { CreatedDeployment, DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { act, counts, hasStatus } from './support/detail.ts';
import { OpsCenter } from './support/ops-center.ts';
import { completeAll, offered } from './support/rollout.ts';
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
    const entries = {
      name: 'Firmware Update v2.1.0',
      version: 'v2.1.0',
      strategy: 'Canary' as const,
      canaryPercentage: 20,
      deviceType: 'raspberry_pi',
      operator: '!=',
      currentVersion: 'v2.0.0',
      onlineOnly: true,
      packageUrl: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
      checksum: 'ab'.repeat(32),
      releaseNotes: 'Bug fixes and performance improvements',
    };

    // 1. Navigate to OTA Deployments
    await page.getByRole('link', { name: 'OTA Deployments' }).click();
    await page.waitForURL('**/admin/edge/ota');
    await page.getByRole('link', { name: 'New Deployment' }).click();

    // 2. to 4. The steps of the wizard; the preview follows the filters
    await basicInfo(page, entries);
    await next(page);
    await targetDevices(page, entries);
    await page.getByText('9 devices now, 36 after you expand').first().waitFor();
    expect(await page.getByTestId('matching').innerText()).to.equal('45');
    await next(page);
    await updatePackage(page, entries);
    await next(page);

    // 5. Review and Create
    for (const shown of ['!= v2.0.0', 'Online only', '20 %', entries.packageUrl]) {
      await page.getByText(shown, { exact: true }).waitFor();
    }
    await page.getByRole('button', { name: 'Create Deployment' }).click();
    await hasStatus(page, 'Pending');
    const id = page.url().split('/').at(-1) ?? '';
    const created = await ops.api<DeploymentDetail>('GET', `/deployments/${id}`);
    expect(created.status).to.equal('pending');
    expect(created.metadata).to.deep.include({
      checksum: entries.checksum,
      release_notes: entries.releaseNotes,
      device_filters: {
        device_type: 'raspberry_pi',
        current_version: 'v2.0.0',
        version_operator: '!=',
        status: 'online',
      },
    });

    // 6. Start and monitor
    await page.getByRole('link', { name: 'All deployments' }).click();
    await page.getByRole('link', { name: entries.name, exact: true }).click();
    expect(await act(page, 'Start')).to.include('released to 9 devices now. 36 devices follow');
    await hasStatus(page, 'In progress');
    await completeAll(await offered(devices, id, 9), id);
    await page.getByText('expand to the remaining 36 devices').waitFor();
    expect(await act(page, 'Expand')).to.include('36 more devices');
    await completeAll(await offered(devices, id, 36), id);
    await hasStatus(page, 'Completed');
    await counts(page, 'Completed', 45);
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
