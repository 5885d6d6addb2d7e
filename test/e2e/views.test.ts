import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { SceneBuilder, type Scenes } from '../../dev/screenshots/scenes.ts';
import { viewsOf, type View } from '../../dev/screenshots/views.ts';
import { expectNoSidewaysScroll } from './support/detail.ts';
import { OpsCenter, type PageOptions } from './support/ops-center.ts';

const LOOKS: { name: string; options: PageOptions }[] = [
  { name: 'light', options: {} },
  { name: 'dark', options: { dark: true } },
  { name: 'narrow', options: { width: 375, height: 812 } },
];

describe('page: every view, with a fleet and deployments in many states', function () {
  this.timeout(300_000);
  let ops: OpsCenter;
  let scenes: Scenes;
  let axe: string;

  before(async function () {
    ops = await OpsCenter.open(this);
    scenes = await new SceneBuilder(ops.url, ops.host.adminToken).build();
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  for (const { name, options } of LOOKS) {
    it(`has no serious fault for people who need help, and fits its window: ${name}`, async () => {
      const faults: string[] = [];
      const signedIn = await ops.signIn('/admin/edge/devices', options);
      for (const view of viewsOf(scenes)) {
        const page = await signedIn.context().newPage();
        await show(page, view);
        faults.push(...(await seriousFaults(page, view.name)));
        await expectNoSidewaysScroll(page, view.name);
        await expectExactTimes(page, view.name);
        await page.close();
      }
      expect(faults, faults.join('\n')).to.deep.equal([]);
    });
  }

  async function show(page: Page, view: View): Promise<void> {
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await view.before?.(page);
    await page.goto(ops.url + view.path);
    await view.prepare(page);
    // A layer that is still fading in has other colours than at rest.
    await page.evaluate(
      'Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))',
    );
    expect(errors, view.name).to.deep.equal([]);
  }

  /** "3 min ago" is for reading; when exactly is told on hover. */
  async function expectExactTimes(page: Page, view: string): Promise<void> {
    const titles = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.ota-page time')].map((time) => time.title)`,
    );
    for (const title of titles) expect(title, view).to.match(/\d{4}, \d\d:\d\d:\d\d .+/);
  }

  async function seriousFaults(page: Page, view: string): Promise<string[]> {
    await page.evaluate(axe);
    const { violations } = await page.evaluate<AxeResults>(
      `axe.run(document, { resultTypes: ['violations'] })`,
    );
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) =>
          [view, id, target.join(' '), failureSummary?.split('\n')[1]?.trim()].join(' | '),
        ),
      );
  }
});
