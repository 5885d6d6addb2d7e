import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';

const ESC = '\u001b';
const HOSTILE = '<img src=x onerror="window.owned=1"><b class="hostile">';
const LINES = Array.from({ length: 400 }, (_, index) => `step ${index + 1} of 400\n`).join('');
const LOG =
  `${ESC}]0;installing\u0007${ESC}[31;1mred alert${ESC}[0m ${HOSTILE}\r\n` +
  `10%\r20%\r100%\n${LINES}the last line\n`;

interface Highlights {
  highlights: Map<string, { getBoundingClientRect(): { top: number; bottom: number } }[]>;
}

describe('page: installation logs', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  after(() => ops?.close());
  afterEach(() => ops?.closePages());

  /** A device whose first attempt has left `log`, and failed. */
  async function deviceWith(log: string, namePrefix: string): Promise<[DeviceClient, string]> {
    const [device] = await ops.addDevices(1, { namePrefix });
    const { deployment_id: id } = await createDeployment(ops, {
      device_ids: [device!.id],
      policy: { failure_threshold_percent: null },
    });
    await ops.api('POST', `/deployments/${id}/start`);
    await offered([device!], id, 1);
    await device!.report(id, 'downloading', 'installing');
    await device!.sendLog(id, { attempt: 1, chunk: log });
    await device!.report(id, { status: 'failed', error_message: 'disk is full' });
    return [device!, id];
  }

  async function openDevice(id: string, name: string, options = {}): Promise<[Page, Locator]> {
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`, options);
    await page.getByRole('button', { name: `Details of ${name}` }).click();
    return [page, page.getByRole('dialog', { name })];
  }

  const box = (drawer: Locator, attempt = 1) =>
    drawer.getByRole('region', { name: `Attempt ${attempt}` });
  const toEnd = (element: Locator) =>
    element.evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
  const isAtEnd = (element: Locator) =>
    waitFor(async () => (await toEnd(element)) < 8, { describe: 'the log is at its end' });
  /** What the box shows of its text, by place and not by what is in the document. */
  const seesCurrent = (element: Locator) =>
    element.evaluate((node) => {
      const { CSS } = node.ownerDocument.defaultView as never as { CSS: Highlights };
      const [range] = [...(CSS.highlights.get('ota-log-current') ?? [])];
      if (!range) return null;
      const place = range.getBoundingClientRect();
      const view = node.getBoundingClientRect();
      return place.top >= view.top && place.bottom <= view.bottom ? range.toString() : null;
    });

  it('G45 open each attempt at its end, and keep the scroll position on reload', async () => {
    const [device, id] = await deviceWith(LOG, 'reader');
    const [, drawer] = await openDevice(id, device.name);
    const log = box(drawer);
    await log.getByText('the last line').waitFor();
    await isAtEnd(log);
    expect(await log.evaluate((node) => Number(node.scrollTop))).to.be.above(1_000);

    const reload = drawer.getByRole('button', { name: 'Reload log' });
    await device.sendLog(id, { attempt: 1, chunk: 'one more\n'.repeat(50) });
    await reload.click();
    await log.getByText('one more').first().waitFor();
    await isAtEnd(log);

    await log.evaluate((node) => (node.scrollTop = 300));
    await device.sendLog(id, { attempt: 1, chunk: 'and another\n'.repeat(50) });
    await reload.click();
    await log.getByText('and another').first().waitFor();
    expect(await log.evaluate((node) => Number(node.scrollTop))).to.equal(300);

    await ops.api('POST', `/deployments/${id}/retry`, { device_ids: [device.id] });
    await offered([device], id, 1);
    await device.report(id, { status: 'downloading', attempt: 2 });
    await device.sendLog(id, { attempt: 2, chunk: LOG });
    await reload.click();
    await isAtEnd(box(drawer, 2));
    expect(await log.evaluate((node) => Number(node.scrollTop)), 'the first is kept open').to.equal(
      300,
    );
    const first = drawer.locator('summary', { hasText: 'Attempt 1' });
    await first.click();
    await log.waitFor({ state: 'detached' });
    await first.click();
    await isAtEnd(log);
  });

  it('G45 show colors, the last state of a line, and hostile text as text', async () => {
    const [device, id] = await deviceWith(LOG, 'colors');
    const [page, drawer] = await openDevice(id, device.name);
    const log = box(drawer);
    const alert = log.getByText('red alert');
    const look = await alert.evaluate((node) => {
      const style = node.ownerDocument.defaultView?.getComputedStyle(node);
      return [String(style?.color), String(style?.fontWeight)];
    });
    expect(look).to.deep.equal(['rgb(244, 112, 103)', '700']);
    const text = await log.evaluate((node) => String(node.textContent));
    expect(text.split('\n').slice(0, 3)).to.deep.equal([
      `red alert ${HOSTILE}`,
      '100%',
      'step 1 of 400',
    ]);
    expect(await page.evaluate('window.owned')).to.equal(undefined);
    expect(await page.locator('.hostile, img[src="x"]').count()).to.equal(0);
  });

  it('G45 can be searched by keyboard', async () => {
    const [device, id] = await deviceWith(LOG, 'search');
    const [page, drawer] = await openDevice(id, device.name);
    const log = box(drawer);
    const field = drawer.getByRole('textbox', { name: 'Search this log' });
    await field.fill('STEP 39');
    await drawer.getByText('1 of 11').waitFor();
    expect(await seesCurrent(log)).to.equal('step 39');
    await field.press('Enter');
    await drawer.getByText('2 of 11').waitFor();
    expect(await seesCurrent(log)).to.equal('step 39');
    await field.press('Shift+Enter');
    await field.press('Shift+Enter');
    await drawer.getByText('11 of 11').waitFor();
    await drawer.getByRole('button', { name: 'Next match' }).click();
    await drawer.getByText('1 of 11').waitFor();
    await drawer.getByRole('button', { name: 'Previous match' }).click();
    await drawer.getByText('11 of 11').waitFor();
    expect(await seesCurrent(log)).to.equal('step 39');
    expect(await page.evaluate('CSS.highlights.get("ota-log-match").size')).to.equal(11);
    await field.fill('not in there');
    await drawer.getByText('No match').waitFor();
    await field.press('Escape');
    expect(await field.inputValue()).to.equal('');
    expect(await page.evaluate('CSS.highlights.get("ota-log-match").size')).to.equal(0);
    await field.press('Escape');
    await drawer.waitFor({ state: 'hidden' });
  });

  it('G45 stay fast with a match at every other character', async () => {
    const [device, id] = await deviceWith('ab'.repeat(128 * 1024), 'many');
    const [page, drawer] = await openDevice(id, device.name);
    const field = drawer.getByRole('textbox', { name: 'Search this log' });
    await field.fill('A');
    await drawer.getByText('1 of 131,072').waitFor();
    const took = await page.evaluate(`(async () => {
      const began = performance.now();
      for (let press = 0; press < 10; press++) {
        const key = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true });
        document.activeElement.dispatchEvent(key);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return (performance.now() - began) / 10;
    })()`);
    await drawer.getByText('11 of 131,072').waitFor();
    console.log(`      ${Number(took).toFixed(0)} ms for each step`);
    expect(took, 'milliseconds for each step').to.be.below(500);
  });

  it('G45 are copied as shown, even without the clipboard API', async () => {
    const [device, id] = await deviceWith(`${ESC}[32mgreen${ESC}[0m\n10%\r20%\n`, 'copied');
    const [page, drawer] = await openDevice(id, device.name);
    const button = drawer.getByRole('button', { name: 'Copy log' });
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    for (const secure of [true, false]) {
      await page.evaluate(`navigator.clipboard.writeText('before').then(() =>
        Object.defineProperty(window, 'isSecureContext', { value: ${secure}, configurable: true }))`);
      await button.click();
      await waitFor(
        async () => (await page.evaluate('navigator.clipboard.readText()')) === 'green\n20%\n',
        { describe: `the log is on the clipboard, secure: ${secure}` },
      );
      await drawer.getByText('Copied', { exact: true }).waitFor();
    }
  });

  it('G45 are downloaded as the device sent them, with a safe file name', async () => {
    const [device, id] = await deviceWith(LOG, 'a/b "<c>"');
    const [page, drawer] = await openDevice(id, device.name);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      drawer.getByRole('button', { name: 'Download log' }).click(),
    ]);
    expect(download.suggestedFilename()).to.match(/^a-b-c-0001-attempt-1\.log$/);
    expect(await readFile(await download.path(), 'utf8')).to.equal(LOG);
  });

  it('G45 fit on a phone', async () => {
    const [device, id] = await deviceWith(LOG, 'phone');
    const [page, drawer] = await openDevice(id, device.name, { width: 390, height: 780 });
    const log = box(drawer);
    await isAtEnd(log);
    const download = drawer.getByRole('button', { name: 'Download log' });
    await waitFor(async () => ((await download.boundingBox())?.x ?? 390) + 28 <= 390, {
      describe: 'all buttons are within the window',
    });
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.equal(390);
  });
});
