import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';

/** How the host's own page looks: every element of it, with all that a style sheet can say. */
function looks(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[document.documentElement, document.body,
    ...document.querySelectorAll('.top-bar, .top-bar *, .navigation, .navigation *, .content .page *')]
    .filter((element) => element.closest('tbody') === null)
    .map((element) => {
      const style = getComputedStyle(element);
      const values = [...style].filter((name) => !name.startsWith('--'))
        .map((name) => name + ':' + style.getPropertyValue(name));
      return element.tagName + '.' + element.className + ' ' + values.join(';');
    })`);
}

describe('page: host styles', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  for (const dark of [false, true]) {
    it(`do not change for the host's own elements: ${dark ? 'dark' : 'light'}`, async () => {
      const page = await ops.signIn('/admin/edge/devices', { dark });
      await page.getByText('No devices yet').waitFor();
      const before = await looks(page);
      expect(before.length).to.be.above(30);

      await page.getByRole('link', { name: 'OTA Deployments' }).click();
      await page.waitForURL(`**${PAGE_ROOT}`);
      await page.getByText('No deployments yet').waitFor();
      await page.getByRole('link', { name: 'Devices', exact: true }).click();
      await page.getByText('No devices yet').waitFor();
      await page.mouse.move(700, 700);
      await page.evaluate(`document.activeElement.blur()`);
      await page.evaluate(
        'Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))',
      );
      expect(
        await page.evaluate(`[...document.styleSheets].some((sheet) => sheet.href?.endsWith('.css') &&
          [...sheet.cssRules].some((rule) => rule.selectorText?.includes('.ota-page')))`),
        'the style sheet of the page is loaded',
      ).to.equal(true);
      expect(await looks(page)).to.deep.equal(before);
    });
  }
});
