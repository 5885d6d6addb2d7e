import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';
import { reviewByWizard } from './support/wizard.ts';

const UNPROTECTED = '2 of 4 devices would not come back by themselves if the update fails.';

describe('page: what devices report about themselves', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let devices: DeviceClient[];

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
    devices = await ops.addDevices(4);
  });
  afterEach(() => ops?.close());

  const openDevice = async (page: Page, { name }: DeviceClient) => {
    await page.getByRole('button', { name: `Details of ${name}` }).click();
    return page.getByRole('dialog', { name });
  };

  it('the review and the start warn about devices that would not come back', async () => {
    for (const [index, protection] of (['none', 'none', 'slots'] as const).entries()) {
      await devices[index]?.checkUpdate('v2.0.0', { protection });
    }
    const entries = { name: 'Careful', version: 'v2.1.0', strategy: 'Canary' } as const;
    const page = await ops.signIn();
    await reviewByWizard(page, entries);
    const impact = page.getByTestId('impact');
    await impact.getByText(UNPROTECTED).waitFor();
    await impact.getByText('1 has not reported whether it would.').waitFor();
    await page.getByRole('button', { name: 'Create Deployment' }).click();
    await page.waitForURL(new RegExp(`${PAGE_ROOT}/[0-9a-f-]{36}$`));

    await page.getByRole('button', { name: 'Start', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(UNPROTECTED).waitFor();
    // It is a warning; only a risky rollout has to be confirmed.
    await dialog.locator('[data-confirm]:not([disabled])').waitFor();
  });

  it('a device shows what protects it and its components, and while it reboots', async () => {
    const { deployment_id: id } = await createDeployment(ops);
    await ops.api('POST', `/deployments/${id}/start`);
    const [device, other] = (await offered(devices, id, 4)) as [DeviceClient, DeviceClient];
    await device.checkUpdate('v2.0.0', {
      protection: 'files_and_boot',
      components: '{"pump":"v2.0.0","<b>camera</b>":"v1.4.2"}',
    });
    await other.checkUpdate('v2.0.0', { protection: 'none' });
    await device.report(id, 'installing', 'verifying');

    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    const drawer = await openDevice(page, device);
    await drawer.getByText('Verifying').waitFor();
    expect(await drawer.getByText('Rebooting').count()).to.equal(0);
    await drawer.getByText('Files and boot loader').waitFor();
    await drawer.getByText('<b>camera</b> v1.4.2').waitFor();
    await drawer.getByText('pump v2.0.0').waitFor();

    await device.report(id, { status: 'verifying', activity: 'rebooting' });
    await drawer.getByText('Rebooting').waitFor();
    await page.keyboard.press('Escape');
    const row = page.getByRole('row', { name: device.name });
    await row.getByText('Verifying').waitFor();
    await row.getByText('Rebooting').filter({ visible: true }).waitFor();
    await page.setViewportSize({ width: 375, height: 812 });
    await row.getByText('Rebooting').filter({ visible: true }).waitFor();
    await page.setViewportSize({ width: 1360, height: 900 });

    await device.report(id, {
      status: 'failed',
      failure_cause: 'health',
      error_message: 'pump.service is not running',
    });
    await row.getByText('Rebooting').first().waitFor({ state: 'detached' });
    const failed = await openDevice(page, device);
    await failed.getByText('Error: Health check').waitFor();
    await page.keyboard.press('Escape');

    const unprotected = await openDevice(page, other);
    await unprotected.getByText('The device would not come back by itself').waitFor();
    await page.keyboard.press('Escape');
    const silent = await openDevice(
      page,
      devices.find((one) => one !== device && one !== other)!,
    );
    await silent.getByText('Not reported').waitFor();
  });
});
