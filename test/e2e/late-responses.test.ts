import { expect } from 'chai';
import type { Page, Route } from 'playwright-core';
import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { confirmButton } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

/** Holds one kind of request back until the test lets it go on. */
async function holdBack(
  page: Page,
  address: RegExp,
): Promise<{ asked: Promise<void>; answer(): Promise<void> }> {
  let held: Route | undefined;
  let tell: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (tell = resolve));
  await page.route(
    (url) => address.test(url.pathname),
    async (route) => {
      if (held) return route.fallback();
      held = route;
      tell();
    },
  );
  return {
    asked,
    async answer() {
      const answered = page.waitForResponse((response) =>
        address.test(new URL(response.url()).pathname),
      );
      await held?.continue();
      await (await answered).finished();
      // The page has processed the response once it has drawn the next frame.
      await page.evaluate(
        'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
      );
    },
  };
}

describe('page: late responses and busy streams', function () {
  this.timeout(90_000);
  let ops: OpsCenter;

  beforeEach(async function () {
    ops = await OpsCenter.open(this, { device_requests_per_minute: 100_000 });
  });
  afterEach(() => ops?.close());

  const statusOf = async (id: string) =>
    (await ops.api<DeploymentDetail>('GET', `/deployments/${id}`)).status;

  it('G23 a late response to an earlier question does not change what a confirmation acts on', async () => {
    await ops.addDevices(2);
    const first = await createDeployment(ops, { deployment_name: 'First' });
    const second = await createDeployment(ops, { deployment_name: 'Second' });
    const page = await ops.signIn();
    const late = await holdBack(page, new RegExp(`/deployments/${first.deployment_id}$`));
    await page.getByRole('button', { name: 'Start First' }).click();
    await late.asked;
    await page.getByRole('dialog').getByRole('button', { name: 'Keep as is' }).click();
    await page.getByRole('button', { name: 'Start Second' }).click();
    const dialog = page.getByRole('dialog', { name: 'Start “Second”?' });
    const confirm = await confirmButton(page);
    await late.answer();
    await confirm.click();
    await dialog.waitFor({ state: 'hidden' });
    expect(await statusOf(second.deployment_id)).to.equal('in_progress');
    expect(await statusOf(first.deployment_id)).to.equal('pending');
  });

  it('G23 a late failure of an earlier question is not shown in the next one', async () => {
    await ops.addDevices(2);
    const first = await createDeployment(ops, { deployment_name: 'First' });
    await createDeployment(ops, { deployment_name: 'Second' });
    const page = await ops.signIn();
    let fail: () => Promise<void> = () => Promise.resolve();
    await page.route(
      (url) => url.pathname.endsWith(`/deployments/${first.deployment_id}`),
      (route) => {
        fail = () => route.abort('connectionreset');
      },
    );
    const asked = page.waitForRequest((request) => request.url().endsWith(first.deployment_id));
    await page.getByRole('button', { name: 'Start First' }).click();
    await asked;
    await page.getByRole('dialog').getByRole('button', { name: 'Keep as is' }).click();
    await page.getByRole('button', { name: 'Start Second' }).click();
    const dialog = page.getByRole('dialog', { name: 'Start “Second”?' });
    await dialog.waitFor();
    await confirmButton(page);
    const failed = page.waitForEvent('requestfailed');
    await fail();
    await failed;
    await page.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
    );
    expect(await dialog.innerText()).not.to.include('Start failed');
    expect(await dialog.locator('[data-confirm]:not([disabled])').count()).to.equal(1);
  });

  /** Reports progress of the devices without a pause until it is told to stop. */
  function keepBusy(devices: readonly DeviceClient[], id: string): { stop(): Promise<void> } {
    let going = true;
    const work = devices.map(async (device) => {
      for (let progress = 0; going; progress = (progress + 1) % 100) {
        await device.report(id, { status: 'downloading', progress });
      }
    });
    return {
      async stop() {
        going = false;
        await Promise.all(work);
      },
    };
  }

  it('G39 a busy stream does not delay the figures of the list', async () => {
    const devices = await ops.addDevices(10);
    const { deployment_id: id } = await createDeployment(ops, { deployment_name: 'Busy' });
    await ops.api('POST', `/deployments/${id}/start`);
    const at = await offered(devices, id, 10);
    const page = await ops.signIn();
    await page.getByText('Live', { exact: true }).waitFor();
    const busy = keepBusy(at.slice(1), id);
    try {
      await createDeployment(ops, { deployment_name: 'Created meanwhile' });
      await page.getByText('Created meanwhile').waitFor({ timeout: 10_000 });
      await complete(at[0]!, id);
      await page
        .getByText(/^100\s?%$/)
        .first()
        .waitFor({ timeout: 10_000 });
    } finally {
      await busy.stop();
    }
  });

  it('G39 a busy stream does not delay the figures of a deployment', async () => {
    const devices = await ops.addDevices(10);
    const { deployment_id: id } = await createDeployment(ops, { deployment_name: 'Busy' });
    await ops.api('POST', `/deployments/${id}/start`);
    const at = await offered(devices, id, 10);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    const busy = keepBusy(at.slice(1), id);
    try {
      await complete(at[0]!, id);
      await page
        .getByText(/^100\s?%$/)
        .first()
        .waitFor({ timeout: 10_000 });
    } finally {
      await busy.stop();
    }
  });
});
