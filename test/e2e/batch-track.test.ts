import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { expectNoSidewaysScroll } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

const BATCHES = 40;
const SIZE = 2;
const ENDED = 12;

describe('page: a rollout of many batches', function () {
  this.timeout(120_000);
  let ops: OpsCenter;
  let id: string;
  let waiting: DeviceClient[];

  before(async function () {
    ops = await OpsCenter.open(this);
    waiting = await ops.addDevices(BATCHES * SIZE);
    const created = await createDeployment(ops, {
      rollout_strategy: 'rolling',
      batch_size: SIZE,
      policy: { failure_threshold_percent: null },
    });
    id = created.deployment_id;
    await ops.api('POST', `/deployments/${id}/start`);
    for (let batch = 1; batch <= ENDED; batch += 1) await finishBatch(batch % 4 === 0);
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  async function finishBatch(withFailure: boolean): Promise<void> {
    const released = await offered(waiting, id, SIZE);
    waiting = waiting.filter((device) => !released.includes(device));
    const [first, ...others] = released;
    await Promise.all(others.map((device) => complete(device, id)));
    if (!withFailure) await complete(first as DeviceClient, id);
    else {
      await first?.report(id, 'downloading', { status: 'failed', error_message: 'No space left' });
    }
  }

  const track = (page: Page) => page.getByRole('region', { name: 'Batches' });
  const card = (page: Page, name: string) =>
    track(page).getByRole('button', { name: new RegExp(`^${name}\\b`) });
  const batchFilter = (page: Page) => new URL(page.url()).searchParams.get('batch');

  it('G46 shows failures in folded batches, which open and close', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`, { width: 1280 });
    const fold = card(page, 'Batches 1–11');
    await fold.waitFor();
    const facts = await fold.innerText();
    for (const fact of ['22 of 22 finished', '2 failed', '11 batches'])
      expect(facts).to.include(fact);
    expect(await fold.getByRole('img').getAttribute('aria-label')).to.equal(
      'Completed: 20, Failed: 2',
    );
    expect(await fold.getAttribute('aria-expanded')).to.equal('false');
    await fold.press('Enter');
    expect(await fold.getAttribute('aria-expanded')).to.equal('true');
    await card(page, 'Batch 4').click();
    await page.getByText('2 of 2 devices loaded').waitFor();
    expect(batchFilter(page)).to.equal('4');
    // Selected, it stays in sight when its fold closes.
    await fold.click();
    await card(page, 'Batches 1–3').waitFor();
    expect(await card(page, 'Batch 4').getAttribute('aria-pressed')).to.equal('true');
    await card(page, 'Batches 5–11').waitFor();
    await card(page, 'Batch 4').press('Enter');
    await fold.and(page.locator(':focus')).waitFor();
    expect(batchFilter(page)).to.equal(null);
  });

  it('G46 keeps opened folds open while the rollout progresses', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`, { width: 390 });
    const fold = card(page, 'Batches 1–11');
    await fold.click();
    await card(page, 'Batch 4').waitFor();
    await expectNoSidewaysScroll(page, 'an open fold');
    await finishBatch(false);
    const longer = card(page, 'Batches 1–12');
    await longer.waitFor();
    expect(await longer.getAttribute('aria-expanded')).to.equal('true');
    expect(await longer.and(page.locator(':focus')).count(), 'has the focus').to.equal(1);
    await card(page, 'Batch 4').waitFor();
  });

  it('G46 stays usable with a thousand batches', async () => {
    const page = await ops.signIn('/admin/edge/devices', { width: 1280 });
    await page.route(`**/api/v1/admin/ota/deployments/${id}`, async (route) => {
      const response = await route.fetch();
      const detail = (await response.json()) as DeploymentDetail;
      const last = detail.batches.at(-1);
      if (!last) throw new Error('There are no batches.');
      while (detail.batches.length < 1_000) {
        detail.batches.push({ ...last, number: detail.batches.length + 1 });
      }
      await route.fulfill({ response, json: detail });
    });
    await page.goto(`${ops.url}${PAGE_ROOT}/${id}`);
    const after = track(page)
      .getByRole('button', { name: /^Batches \d+–999\b/ })
      .first();
    await after.click();
    expect(await track(page).getByRole('button').count()).to.be.below(60);
    await card(page, 'Batches 481–504').click();
    await card(page, 'Batch 500').waitFor();
    await card(page, 'Batches 481–504').click();
    await card(page, 'Batch 500').waitFor({ state: 'detached' });
    await after.click();
    await card(page, 'Batches 481–504').waitFor({ state: 'detached' });
  });
});
