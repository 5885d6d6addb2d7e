import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import { expectNoSidewaysScroll } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment } from './support/rollout.ts';

const DEVICE = 'gateway-berlin-hall-3-line-0000-control-cabinet-north-of-the-east-wing-';
const LAST = `${DEVICE}000012`;
const TYPE = 'industrial-gateway-cellular-modem-generation-07';
const VERSION = 'v2.1.0-rc.1+build.20260401.abcdef0129.x86-64';
const DEPLOYMENT = `Firmware for ${'all gateways in the halls of the plant '.repeat(5)}`
  .slice(0, 199)
  .trim()
  .padEnd(200, '!');

const NARROW = { width: 390, height: 844 };

/** What a reader sees of a name on one line, by the boxes of its parts and the style sheet's contents. */
const SEEN = `(name) => {
  const root = [...document.querySelectorAll('[title][dir=auto]')].find((one) => one.title === name);
  const frame = root.getBoundingClientRect();
  const inSight = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.top < frame.bottom - 1 && box.bottom > frame.top + 1;
  };
  const [cut, whole] = root.children;
  const content = (element, part) => JSON.parse(getComputedStyle(element, part).content);
  return {
    cut: inSight(cut) ? content(cut, '::after') : null,
    whole: inSight(whole) ? content(whole, '::before') : null,
    lines: Math.round(frame.height / parseFloat(getComputedStyle(root).lineHeight)),
    fits: frame.right <= root.parentElement.getBoundingClientRect().right + 1,
  };
}`;
/** How many lines a title, a link or a message takes. */
const LINES = `(text) => {
  const node = [...document.querySelectorAll('h1, a, [role=heading], [role=status] span')].find(
    (one) => one.textContent.trim() === text && one.getBoundingClientRect().height > 0,
  );
  const { lineHeight, fontSize } = getComputedStyle(node);
  const height = parseFloat(lineHeight) || 1.2 * parseFloat(fontSize);
  return node.getBoundingClientRect().height / height;
}`;
interface Seen {
  cut: string | null;
  whole: string | null;
  lines: number;
  fits: boolean;
}

describe('page: long names', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let id: string;

  before(async function () {
    ops = await OpsCenter.open(this);
    await ops.addDevices(13, { deviceType: TYPE, firmwareVersion: VERSION });
    const { knex } = ops.host;
    await knex.raw(
      `UPDATE edge_devices SET device_name = ? || lpad(numbered.n::text, 6, '0')
       FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM edge_devices) AS numbered
       WHERE numbered.id = edge_devices.id`,
      [DEVICE],
    );
    await ops.addDevices(1, { deviceType: 'pi', firmwareVersion: 'v1.0.0' });
    await knex.raw(`UPDATE edge_devices SET device_name = 'short' WHERE device_type = 'pi'`);
    id = (await createDeployment(ops, { deployment_name: DEPLOYMENT })).deployment_id;
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  /** @param name must be in the document, once, as it is read out */
  async function seen(place: Locator, name: string): Promise<Seen> {
    await place.getByText(name, { exact: true }).waitFor();
    return place.page().evaluate<Seen>(`(${SEEN})(${JSON.stringify(name)})`);
  }

  async function copied(page: Page, name: Locator): Promise<string> {
    await name.dblclick();
    return page.evaluate<string>('getSelection().toString()');
  }

  for (const width of [1280, 390]) {
    it(`G46 of devices keep their ends in the table, at ${width} px`, async () => {
      const page = await ops.signIn(`${PAGE_ROOT}/${id}`, { width });
      const table = page.getByRole('table');
      expect(await seen(table, LAST)).to.deep.equal({
        cut: 'g-000012',
        whole: null,
        lines: 1,
        fits: true,
      });
      await page.getByRole('button', { name: `Details of ${LAST}`, exact: true }).waitFor();
      expect(await seen(table, 'short')).to.include({ cut: null, whole: 'short', lines: 1 });
      await expectNoSidewaysScroll(page, 'the detail page');
    });
  }

  it('G46 of devices, types and versions keep their ends in the device picker', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/new`, { width: 1280 });
    await page.getByLabel('Deployment Name').fill('Pick');
    await page.getByLabel('Target Version').fill('v3.0.0');
    await page.getByRole('radio', { name: /^Manual/ }).check();
    await page.getByRole('button', { name: 'Next', exact: true }).click();
    await page.getByRole('radio', { name: 'Pick by hand' }).check();
    const row = page.locator('label').filter({ hasText: LAST });
    const name = row.getByText(LAST, { exact: true });
    expect(await seen(row, LAST)).to.include({
      cut: 'g-000012',
      whole: null,
      lines: 1,
      fits: true,
    });
    expect(await seen(row, TYPE)).to.include({ cut: 'ation-07' });
    expect(await seen(row, VERSION)).to.include({ cut: '9.x86-64' });
    // Read out, found and copied is the whole name, once.
    expect(await row.innerText()).to.include(LAST);
    expect(await copied(page, name)).to.equal(LAST);
    expect(await name.locator('..').getAttribute('title')).to.equal(LAST);
  });

  it('G46 of types and versions keep their ends in the overview', async () => {
    const page = await ops.signIn(PAGE_ROOT, { width: 1280 });
    const chart = page.getByRole('list', { name: /^Versions by device type/ });
    expect(await seen(chart, TYPE)).to.include({ cut: 'ation-07' });
    expect(await seen(page.locator('td'), 'v2.1.0')).to.include({ cut: null, whole: 'v2.1.0' });
  });

  for (const width of [1280, 390]) {
    it(`G44 of a deployment take two lines at most, at ${width} px`, async () => {
      const page = await ops.signIn(PAGE_ROOT, { width });
      await expectTwoLines(page.getByRole('link', { name: DEPLOYMENT, exact: true }).first());
      await expectNoSidewaysScroll(page, 'the list');
      await page.getByRole('button', { name: `Start ${DEPLOYMENT}`, exact: true }).click();
      const dialog = page.getByRole('dialog', { name: `Start “${DEPLOYMENT}”?`, exact: true });
      const question = dialog.getByRole('heading');
      await expectTwoLines(question, `Start “${DEPLOYMENT}”?`);
      await page.getByRole('button', { name: 'Keep as is' }).click();
      await page.getByRole('link', { name: DEPLOYMENT, exact: true }).first().click();
      await expectTwoLines(page.getByRole('heading', { name: DEPLOYMENT, exact: true }));
      await expectNoSidewaysScroll(page, 'the detail page');
    });
  }

  it('G44 take two lines at most in a toast', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/new`, NARROW);
    const name = DEPLOYMENT.replace('Firmware', 'Software');
    const next = page.getByRole('button', { name: 'Next', exact: true });
    await page.getByLabel('Deployment Name').fill(name);
    await page.getByLabel('Target Version').fill('v3.0.0');
    await page.getByRole('radio', { name: /^Immediate/ }).check();
    await next.click();
    await next.click();
    await page.getByLabel('Update Package URL').fill('https://cdn.example.com/v3.0.0.tar.gz');
    await page.getByLabel('SHA256 Checksum').fill('a3'.repeat(32));
    await next.click();
    await page.getByRole('button', { name: 'Create Deployment' }).click();
    const message = `“${name}” was created. Start it when you are ready.`;
    await expectTwoLines(page.getByText(message, { exact: true }), message);
  });

  async function expectTwoLines(element: Locator, whole = DEPLOYMENT): Promise<void> {
    await element.waitFor();
    const lines = await element.page().evaluate(`(${LINES})(${JSON.stringify(whole)})`);
    expect(lines, 'lines').to.be.within(1, 2.1);
    expect(await element.getAttribute('title')).to.equal(whole);
  }
});
