import { expect } from 'chai';
import { OpsCenter } from './support/ops-center.ts';
import { basicInfo, createByWizard } from './support/wizard.ts';

describe('page: the kinds of devices in a canary', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
  });
  afterEach(() => ops?.close());

  it('the wizard names the kinds that the first batch misses, and the percentage that covers all', async () => {
    await ops.addDevices(17, { deviceType: 'raspberry_pi', firmwareVersion: 'v2.0.0' });
    await ops.addDevices(3, {
      deviceType: 'compute_module_4',
      firmwareVersion: 'v1.2.0',
      namePrefix: 'module',
    });
    const page = await ops.signIn();
    await page.getByRole('link', { name: 'New Deployment' }).click();
    await basicInfo(page, {
      name: 'Careful',
      version: 'v2.1.0',
      strategy: 'Canary',
      canaryPercentage: 5,
    });
    const coverage = page.getByTestId('coverage');
    await coverage.getByText('Missing').waitFor();
    expect((await coverage.innerText()).replace(/\s+/g, ' ')).to.equal(
      'The first batch covers 1 of 2 kinds of devices ' +
        'Missing: compute_module_4 on v1.2.0 (3 devices). With 10 % it covers all of them.',
    );
    if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'] });
    await page.getByLabel('Canary Percentage').fill('10');
    await coverage.getByText('The first batch covers all 2 kinds of devices.').waitFor();
  });

  it('the settings of a canary say what its first batch represents', async () => {
    await ops.addDevices(4, { deviceType: 'raspberry_pi' });
    const page = await ops.signIn();
    await createByWizard(page, { name: 'Careful', version: 'v2.1.0', strategy: 'Canary' });
    await page.getByText('Package and settings').click();
    await page.getByText('device type, version').waitFor();
  });
});
