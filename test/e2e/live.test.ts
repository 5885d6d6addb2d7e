import { expect } from 'chai';
import { absoluteFigure, recordFigure } from '../../dev/bench/figure.ts';
import { blockStreams } from '../../dev/screenshots/network-faults.ts';
import { act, counts, hasStatus } from './support/detail.ts';
import { CuttableProxy } from './support/cuttable-proxy.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

describe('page: live', function () {
  this.timeout(90_000);
  let ops: OpsCenter;

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
  });
  afterEach(() => ops?.close());

  it('shows a report of a device within a second', async () => {
    const devices = await ops.addDevices(20);
    const { deployment_id: id } = await createDeployment(ops);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    await act(page, 'Start');
    const at = await offered(devices, id, 20);
    const taken: number[] = [];
    for (const device of at.slice(0, 8)) {
      const row = page.locator(`[data-device="${device.id}"]`);
      const before = performance.now();
      await device.report(id, { status: 'downloading', progress: 41 });
      await row.getByText('Downloading').waitFor();
      taken.push(performance.now() - before);
    }
    taken.sort((a, b) => a - b);
    const [median, worst] = [taken[taken.length >> 1] ?? 0, taken.at(-1) ?? 0];
    console.log(
      `      report → screen: median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`,
    );
    recordFigure(
      absoluteFigure("a device's report until it is on the screen", median, 'ms', { below: 1_000 }),
    );
    recordFigure(
      absoluteFigure('the slowest of eight such reports', worst, 'ms', { below: 1_000 }),
    );
    // The aim is a second; three leave room for a machine that runs other things as well.
    expect(worst).to.be.below(3_000);
  });

  it('keeps the list up to date without reloading', async () => {
    const devices = await ops.addDevices(4);
    const page = await ops.signIn();
    await page.getByText('No deployments yet').waitFor();
    const { deployment_id: id } = await createDeployment(ops, {
      deployment_name: 'From elsewhere',
    });
    await ops.api('POST', `/deployments/${id}/start`);
    const row = page.locator(`[data-deployment="${id}"]`);
    await row.getByText('In progress').waitFor();
    await row.getByRole('button', { name: 'Pause From elsewhere' }).click();
    await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').click();
    await row.getByText('Paused').waitFor();
    await row.getByRole('button', { name: 'Resume From elsewhere' }).click();
    await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').click();
    await row.getByText('In progress').waitFor();
    for (const device of await offered(devices, id, 4)) await complete(device, id);
    await row.getByText('4 of 4').waitFor();
    await row.getByText('Completed').waitFor();
  });

  it('shows that it is not live when no event stream gets through, and polls instead', async () => {
    await ops.addDevices(3);
    const { deployment_id: id } = await createDeployment(ops, { deployment_name: 'Polled' });
    const page = await ops.signIn('/admin/edge/devices');
    await blockStreams(page);
    await page.goto(`${ops.url}${PAGE_ROOT}`);
    await page.getByText('Not live', { exact: true }).waitFor();
    const row = page.locator(`[data-deployment="${id}"]`);
    await row.getByText('Pending').waitFor();
    await ops.api('POST', `/deployments/${id}/start`);
    await row.getByText('In progress').waitFor();
    await page.unrouteAll();
    await page.getByText('Live', { exact: true }).waitFor();
  });

  it('F73 shows that the server is unreachable, keeps its data, and catches up afterwards', async () => {
    const devices = await ops.addDevices(6);
    const { deployment_id: id } = await createDeployment(ops);
    await ops.api('POST', `/deployments/${id}/start`);
    const at = await offered(devices, id, 6);
    const proxy = new CuttableProxy(ops.url);
    await proxy.mend();
    try {
      const page = await ops.signIn(`${PAGE_ROOT}/${id}`, { origin: proxy.origin });
      await page.getByText('Live', { exact: true }).waitFor();
      await page.locator('[data-row="0"]').waitFor();

      await proxy.cut();
      await page.getByText('Connection lost', { exact: true }).waitFor();
      await page.locator('[data-row="0"]').waitFor();
      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      await page.getByText('The server cannot be reached').first().waitFor();
      await page.getByRole('button', { name: 'Keep as is' }).click();

      for (const device of at) await complete(device, id);
      await proxy.mend();
      await page.getByText('Live', { exact: true }).waitFor();
      await hasStatus(page, 'Completed');
      await counts(page, 'Completed', 6);
    } finally {
      await proxy.cut();
    }
  });

  it('G41 shows since when an open connection has been silent, and recovers', async () => {
    await ops.addDevices(2);
    const { deployment_id: id } = await createDeployment(ops);
    const proxy = new CuttableProxy(ops.url);
    await proxy.mend();
    try {
      const page = await ops.signIn('/admin/edge/devices', { origin: proxy.origin });
      await page.clock.install();
      await page.goto(`${proxy.origin}${PAGE_ROOT}/${id}`);
      await page.getByText('Live', { exact: true }).waitFor();
      proxy.hold();
      await page.clock.fastForward(36_000);
      await page.getByText(/^Stale since \d\d:\d\d:\d\d$/).waitFor();
      expect(await page.getByRole('button', { name: 'Start', exact: true }).isEnabled()).to.equal(
        true,
      );
      proxy.release();
      await page.clock.fastForward(5_000);
      await page.getByText('Live', { exact: true }).waitFor();
    } finally {
      await proxy.cut();
    }
  });

  it('F73 shows that it is waiting for a slow server, and then the response', async () => {
    await ops.addDevices(2);
    await createDeployment(ops, { deployment_name: 'Behind a slow line' });
    const proxy = new CuttableProxy(ops.url);
    await proxy.mend();
    try {
      const page = await ops.signIn('/admin/edge/devices', { origin: proxy.origin });
      await page.getByRole('link', { name: 'OTA Deployments' }).waitFor();
      await page.route('**/api/v1/admin/ota/deployments?**', async (route) => {
        proxy.hold();
        await route.continue();
      });
      await page.getByRole('link', { name: 'OTA Deployments' }).click();
      await page.locator('.ota-skeleton').first().waitFor();
      proxy.release();
      await page.getByText('Behind a slow line').waitFor();
    } finally {
      await proxy.cut();
    }
  });

  it('asks to sign in again when the session has expired, and keeps what is shown', async () => {
    await ops.addDevices(2);
    const { deployment_id: id } = await createDeployment(ops);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.locator('[data-row="0"]').waitFor();
    await page.context().clearCookies();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    const notice = page.getByRole('alert').filter({ hasText: 'You are signed out' }).first();
    await notice.waitFor();
    const signIn = page.getByRole('link', { name: 'Sign in' });
    await page.locator('[data-row="0"]').waitFor();
    // The dialog of the button is open above the link.
    await page.keyboard.press('Escape');
    await signIn.click();
    await page.waitForURL(`**/login?next=${encodeURIComponent(`${PAGE_ROOT}/${id}`)}`);
  });
});
