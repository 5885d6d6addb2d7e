import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { hasStatus } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment } from './support/rollout.ts';

/** So many times Tab is pressed before something counts as out of reach. */
const MAX_STOPS = 60;

/** Goes on with Tab until an element of this accessible name has the focus, and can be seen to have it. */
async function tabTo(
  page: Page,
  role: 'button' | 'link' | 'textbox',
  name: string | RegExp,
): Promise<void> {
  const goal = page.getByRole(role, { name, exact: true }).and(page.locator(':focus'));
  for (let stop = 0; stop < MAX_STOPS; stop += 1) {
    if ((await goal.count()) === 1) {
      // The ring of a text field is drawn by what is around it.
      return role === 'textbox' ? undefined : expectVisibleFocus(page);
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`${MAX_STOPS} stops of Tab did not reach ${role} "${String(name)}"`);
}

async function expectVisibleFocus(page: Page): Promise<void> {
  const outline = await page.evaluate<{ style: string; width: number }>(`(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { style: outlineStyle, width: parseFloat(outlineWidth) };
  })()`);
  expect(outline.style, 'ring around what has the focus').to.not.equal('none');
  expect(outline.width).to.be.at.least(2);
}

describe('page: keyboard only', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let id: string;

  before(async function () {
    ops = await OpsCenter.open(this);
    await ops.addDevices(3);
  });
  beforeEach(async () => {
    ({ deployment_id: id } = await createDeployment(ops, { deployment_name: 'By keyboard' }));
  });
  afterEach(async () => {
    await ops.api('POST', `/deployments/${id}/cancel`);
    await ops.closePages();
  });
  after(() => ops?.close());

  it('starts a deployment from the list and returns the focus', async () => {
    const page = await ops.signIn();
    await page.locator(`[data-deployment="${id}"]`).waitFor();
    await tabTo(page, 'button', 'Start By keyboard');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('type the number of devices').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('[aria-label="Start By keyboard"]:focus').waitFor();

    await page.keyboard.press('Enter');
    const count = dialog.getByLabel('type the number of devices');
    await count.waitFor();
    await tabTo(page, 'textbox', /type the number of devices/);
    await page.keyboard.type('3');
    await page.keyboard.press('Enter');
    await page.locator(`[data-deployment="${id}"]`).getByText('In progress').waitFor();
  });

  it('traps the focus in a dialog, and makes the table one tab stop', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.locator('[data-row="2"]').waitFor();
    expect(await page.locator('[data-row] button[tabindex="0"]').count()).to.equal(1);

    await page.getByRole('button', { name: 'Cancel', exact: true }).press('Enter');
    await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').waitFor();
    for (let stop = 0; stop < 8; stop += 1) {
      await page.keyboard.press('Tab');
      expect(
        await page.evaluate(`document.activeElement.closest('[role=dialog]') !== null`),
        `after ${stop + 1} stops`,
      ).to.equal(true);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page
      .getByRole('button', { name: 'Cancel', exact: true })
      .and(page.locator(':focus'))
      .waitFor();
  });

  it('moves between rows, opens a device, and returns the focus to its row', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    const row = page.locator('[data-row="1"] button');
    await page.locator('[data-row="0"] button').press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByText('The device has sent no installation log').waitFor();
    await page.keyboard.press('Escape');
    await row.and(page.locator(':focus')).waitFor();
    await hasStatus(page, 'Pending');
  });
});
