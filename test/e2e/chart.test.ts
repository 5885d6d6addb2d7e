import { expect } from 'chai';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

describe('page: chart of results', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  after(() => ops?.close());

  it('G46 can be read by keyboard, has unique labels, and lines that differ without color', async () => {
    const devices = await ops.addDevices(3);
    const { deployment_id: id } = await createDeployment(ops, {
      policy: { failure_threshold_percent: null },
    });
    await ops.api('POST', `/deployments/${id}/start`);
    const [first, ...others] = await offered(devices, id, 3);
    await first!.report(id, { status: 'failed', error_message: 'disk is full' });
    for (const device of others) await complete(device, id);

    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    const chart = page.getByRole('slider', { name: 'Completed, failed and rolled back devices' });
    await chart.locator('[data-tick]').first().waitFor();
    const labels = await chart.locator('[data-tick]').allTextContents();
    expect(new Set(labels).size, labels.join(' | ')).to.equal(labels.length);
    const dashes = await chart
      .locator('path[class*="ot-line"]')
      .evaluateAll((lines) =>
        lines.map((line) =>
          String(line.ownerDocument.defaultView?.getComputedStyle(line).strokeDasharray),
        ),
      );
    expect(new Set(dashes).size).to.equal(3);

    await chart.focus();
    await page.keyboard.press('End');
    expect(await chart.getAttribute('aria-valuetext')).to.match(
      /\d\d:\d\d:\d\d.*, Completed 2, Failed 1, Rolled back 0$/,
    );
    const last = Number(await chart.getAttribute('aria-valuenow'));
    await page.keyboard.press('ArrowLeft');
    expect(Number(await chart.getAttribute('aria-valuenow'))).to.equal(last - 1);
    await chart.locator('strong').waitFor();
    await page.keyboard.press('Escape');
    await chart.locator('strong').waitFor({ state: 'hidden' });
    const { x, y, width, height } = (await chart.boundingBox())!;
    await page.mouse.move(x + width - 20, y + height / 2);
    await chart.locator('strong').waitFor();
  });
});
