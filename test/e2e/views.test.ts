import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { SceneBuilder, type Scenes } from '../../dev/screenshots/scenes.ts';
import { viewsOf, type View } from '../../dev/screenshots/views.ts';
import { expectNoSidewaysScroll } from './support/detail.ts';
import { OpsCenter } from './support/ops-center.ts';

const WIDE = { width: 1360, height: 900 };
const NARROW = { width: 375, height: 812 };
/** Views by the beginning of their names; each has a name of one of these. */
const GROUPS = ['list', 'detail', 'device', 'wizard'];

describe('page: every view', function () {
  this.timeout(300_000);
  let ops: OpsCenter;
  let scenes: Scenes;
  let axe: string;

  before(async function () {
    ops = await OpsCenter.open(this);
    scenes = await new SceneBuilder(ops.url, ops.host.adminToken, ops.host.knex).build();
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  for (const group of GROUPS) {
    it(`${group}: no serious accessibility violations, light and dark; fits 375 px`, async () => {
      const violations: string[] = [];
      const context = (await ops.signIn('/admin/edge/devices', WIDE)).context();
      const views = viewsOf(scenes).filter(({ name }) => name.startsWith(group));
      expect(views).not.to.deep.equal([]);
      for (const view of views) {
        const page = await context.newPage();
        await show(page, view);
        await expectExactTimes(page, view.name);
        for (const theme of ['light', 'dark']) {
          await applyTheme(page, theme);
          violations.push(...(await seriousViolations(page, `${view.name}, ${theme}`)));
        }
        await page.setViewportSize(NARROW);
        await expectNoSidewaysScroll(page, view.name);
        await page.close();
      }
      expect(violations, violations.join('\n')).to.deep.equal([]);
    });
  }

  it('covers every view', () => {
    const others = viewsOf(scenes).filter(
      ({ name }) => !GROUPS.some((group) => name.startsWith(group)),
    );
    expect(others).to.deep.equal([]);
  });

  /** As the host's switch does it. */
  async function applyTheme(page: Page, theme: string): Promise<void> {
    await page.evaluate(`document.documentElement.classList.toggle('dark', ${theme === 'dark'})`);
    await settled(page);
  }

  /** A layer that is still fading in has different colors than afterwards. */
  async function settled(page: Page): Promise<void> {
    await page.evaluate(
      'Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))',
    );
  }

  async function show(page: Page, view: View): Promise<void> {
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await view.before?.(page);
    await page.goto(ops.url + view.path);
    await view.prepare(page);
    await settled(page);
    await page.evaluate(axe);
    expect(errors, view.name).to.deep.equal([]);
  }

  /** "3 min ago" is for reading; when exactly is told on hover. */
  async function expectExactTimes(page: Page, view: string): Promise<void> {
    const titles = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.ota-page time')].map((time) => time.title)`,
    );
    for (const title of titles) expect(title, view).to.match(/\d{4}, \d\d:\d\d:\d\d .+/);
  }

  async function seriousViolations(page: Page, view: string): Promise<string[]> {
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
