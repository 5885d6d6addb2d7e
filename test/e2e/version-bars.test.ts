import { expect } from 'chai';
import { OpsCenter } from './support/ops-center.ts';

describe('page: versions in the fleet', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
    await ops.addDevices(1_500, { deviceType: 'sensor', firmwareVersion: 'v1.0.0' });
    await ops.addDevices(2, { deviceType: 'gateway', firmwareVersion: 'v2.0.0' });
    await ops.addDevices(2, { deviceType: 'gateway', firmwareVersion: 'v1.0.0' });
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  for (const width of [1280, 390]) {
    it(`G46 scales each type's bar separately, at ${width} px`, async () => {
      const page = await ops.signIn(undefined, { width });
      const list = page.getByRole('region', { name: 'Overview' }).getByRole('list');
      const rows = list.getByRole('listitem');
      await rows.filter({ hasText: 'gateway' }).waitFor();
      const barOf = async (type: string) => {
        const row = rows.filter({ hasText: type });
        const box = await row.locator('[aria-hidden] > [title*=": "]').first().boundingBox();
        return { width: box?.width ?? 0, text: await row.innerText() };
      };
      const sensors = await barOf('sensor');
      const gateways = await barOf('gateway');
      // All sensors run one version, half of the gateways the first of two.
      expect(gateways.width).to.be.closeTo(sensors.width / 2, sensors.width / 10);
      expect(sensors.text).to.include('1,500');
      expect(gateways.text).to.match(/^4$/m);
      expect(await list.getAttribute('aria-label')).to.include(
        'each bar represents all devices of its',
      );
    });
  }
});
