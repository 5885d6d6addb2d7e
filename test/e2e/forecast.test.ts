import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';
import { reviewByWizard } from './support/wizard.ts';

describe('page: when a deployment will have finished', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let devices: DeviceClient[];

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
    devices = await ops.addDevices(4);
  });
  afterEach(() => ops?.close());

  it('the wizard says it before the deployment is created', async () => {
    const page = await ops.signIn();
    await reviewByWizard(page, { name: 'Soon', version: 'v2.1.0', strategy: 'Canary' });
    await page
      .getByTestId('forecast')
      .getByText(/^If you start it now and expand it/)
      .waitFor();
  });

  it('the detail and the list say it until the deployment has finished', async () => {
    const { deployment_id: id } = await createDeployment(ops);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByText(/^If you start it now, likely finished in/).waitFor();
    await ops.api('POST', `/deployments/${id}/start`);
    await page.getByText(/^Likely finished in/).waitFor();

    await page.goto(`${ops.url}${PAGE_ROOT}`);
    await page.getByText(/^about .* left$/).waitFor();
    for (const device of (await offered(devices, id, 4)) as DeviceClient[]) {
      await device.report(id, 'downloading', 'completed');
    }
    await page.getByText(/^about .* left$/).waitFor({ state: 'detached' });
  });
});
