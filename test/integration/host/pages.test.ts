import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';

import { accessibilityViolations } from '../../support/accessibility.ts';
import { launchBrowser } from '../../support/browser.ts';
import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';

const PLUGIN = `
  export async function activate(host) {
    for (const id of ['works', 'breaks', 'missing', 'throws']) {
      host.navigation.addPage({
        id, title: 'Page that ' + id, icon: 'upload', section: 'Samples', path: '/admin/' + id,
        module: import.meta.dirname + '/' + id + '/page.js',
        style: import.meta.dirname + '/' + id + '/page.css', permission: 'sample:use',
      });
    }
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => {},
    };
  }
`;
/** Uses every library that the host shares, and a chunk of its own. */
const WORKING_PAGE = `
  import { h } from 'vue';
  import { defineStore } from 'pinia';
  import { RouterLink, useRoute } from 'vue-router';
  const useCount = defineStore('count', { state: () => ({ count: 41 }) });
  const first = {
    setup() {
      const store = useCount();
      store.count += 1;
      return () => h('section', [
        h('h1', 'It works'),
        h('p', { class: 'count' }, 'Count ' + store.count),
        h(RouterLink, { to: '/admin/works/more' }, () => 'More'),
      ]);
    },
  };
  export const routes = [
    { path: '/admin/works', component: first, meta: { title: 'Works' } },
    { path: '/admin/works/more', component: () => import('./chunk.js') },
  ];
`;
const CHUNK = `
  import { h } from 'vue';
  export default { render: () => h('h1', 'From a chunk') };
`;
const THROWING_PAGE = `
  export const routes = [
    { path: '/admin/throws', component: { setup() { throw new Error('no luck'); } } },
  ];
`;

describe('the pages of the host', function () {
  this.timeout(60_000);

  let browser: Browser | null;
  let plugin: PluginFixture;
  let host: TestHost;
  let context: BrowserContext;
  let page: Page;
  let violations: string[];

  before(async function () {
    browser = await launchBrowser();
    if (browser === null) return this.skip();
    plugin = await createPluginFixture({
      'main.js': PLUGIN,
      'works/page.js': WORKING_PAGE,
      'works/chunk.js': CHUNK,
      'works/page.css': '.count { color: rgb(1, 2, 3); }',
      'breaks/page.js': 'throw new Error("cannot even load");',
      'throws/page.js': THROWING_PAGE,
    });
    host = await startTestHost({ pluginRoot: plugin.root });
  });

  after(async () => {
    if (browser === null) return;
    await browser.close();
    await host.dispose();
    await plugin.remove();
  });

  beforeEach(async () => {
    context = await browser!.newContext({ colorScheme: 'light' });
    page = await context.newPage();
    violations = [];
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) violations.push(message.text());
    });
    await page.goto(await host.createLoginUrl());
  });

  afterEach(async () => {
    await context.close();
    expect(violations, 'content security policy').to.deep.equal([]);
  });

  const heading = (): Promise<string | null> => page.locator('main h1').textContent();

  it('show the page of a plugin with its style, store and chunks', async () => {
    await page.goto(`${host.url}/admin/works`);
    const count = page.locator('.count');
    expect(await count.textContent()).to.equal('Count 42');
    const colour = await page.evaluate<string>(
      `getComputedStyle(document.querySelector('.count')).color`,
    );
    expect(colour).to.equal('rgb(1, 2, 3)');
    expect(await page.title()).to.equal('Works – Ops-Center');
    await page.getByRole('link', { name: 'More' }).click();
    await page.getByRole('heading', { name: 'From a chunk' }).waitFor();
    await page.reload();
    expect(await heading()).to.equal('From a chunk');
  });

  it('link to each other and mark the current page', async () => {
    await page.goto(`${host.url}/admin/system/health`);
    const navigation = page.getByRole('navigation', { name: 'Main' });
    await navigation.getByRole('link', { name: 'Page that works' }).click();
    await page.getByRole('heading', { name: 'It works' }).waitFor();
    const here = navigation.locator('[aria-current="page"]');
    expect(await here.textContent()).to.equal('Page that works');
    await page.locator('main:focus').waitFor();
  });

  for (const [id, why] of [
    ['breaks', 'cannot even load'],
    ['missing', 'Its files are missing or broken'],
    ['throws', 'no luck'],
  ] as const) {
    it(`show the error of a page that ${id}, and keep working`, async () => {
      await page.goto(`${host.url}/admin/${id}`);
      expect(await page.getByRole('alert').textContent()).to.include(why);
      await page.getByRole('link', { name: 'Page that works' }).click();
      await page.getByRole('heading', { name: 'It works' }).waitFor();
      expect(await page.getByRole('alert').count()).to.equal(0);
    });
  }

  it('show a message for an unknown page', async () => {
    await page.goto(`${host.url}/admin/nowhere`);
    expect(await heading()).to.equal('Page not found');
  });

  it('follow the color scheme of the system until one is chosen, and remember the choice', async () => {
    const dark = page.locator('html.dark');
    await page.goto(`${host.url}/admin/works`);
    expect(await dark.count()).to.equal(0);
    await page.emulateMedia({ colorScheme: 'dark' });
    await dark.waitFor();
    await page.getByLabel('Theme').selectOption('light');
    await page.locator('html:not(.dark)').waitFor();
    await page.reload();
    await page.locator('main h1').waitFor();
    expect(await dark.count()).to.equal(0);
  });

  it('collapse the navigation on a narrow screen', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    const link = page.getByRole('link', { name: 'Page that works' });
    await page.getByRole('button', { name: 'Open the menu' }).waitFor();
    await link.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Open the menu' }).click();
    await link.waitFor({ state: 'visible' });
    await page.keyboard.press('Escape');
    await link.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Open the menu' }).click();
    await link.click();
    await link.waitFor({ state: 'hidden' });
    expect(await heading()).to.equal('It works');
  });

  it('F71 list devices, add one, and show names as text', async () => {
    const name = '<img src=x onerror="document.title=1">';
    await page.goto(`${host.url}/admin/edge/devices`);
    await page.getByRole('button', { name: 'Add a device' }).click();
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const command = page.locator('.command');
    await command.waitFor();
    expect(await command.textContent()).to.match(/--token register_\S{40}/);
    await page.getByRole('button', { name: 'Done' }).click();
    const row = page.getByRole('row').filter({ hasText: 'not registered' });
    expect(await row.textContent()).to.include(name);
    await page.getByLabel('Search devices by name or type').fill('no such device');
    await page.getByText('No device matches.').waitFor();
  });

  it('sign out and in again', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to Ops-Center' }).waitFor();
    await page.goto(`${host.url}/admin/works`);
    await page.getByLabel('Admin token').fill(host.adminToken);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'It works' }).waitFor();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`are accessible (${colorScheme})`, async () => {
      await page.emulateMedia({ colorScheme });
      for (const path of ['/admin/edge/devices', '/admin/system/health', '/admin/nowhere']) {
        await page.goto(host.url + path);
        await page.locator('main h1').waitFor();
        expect(await accessibilityViolations(page), path).to.deep.equal([]);
      }
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in to Ops-Center' }).waitFor();
      expect(await accessibilityViolations(page), 'sign-in').to.deep.equal([]);
    });
  }
});
