/**
 * `npm run screenshots`: starts the stand-in with a fleet and deployments in many states, and writes
 * every view of the page in light, dark and narrow to `screenshots/`.
 */
import { copyFile, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import type { Browser } from 'playwright-core';
import { startEmbeddedPostgres } from '../database/embedded-postgres.ts';
import { startHost, type RunningHost } from '../host/host.ts';
import { chromiumPath, launchChromium } from './browser.ts';
import { letTimePass } from './let-time-pass.ts';
import { SceneBuilder } from './scenes.ts';
import { viewsOf, type View } from './views.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, 'screenshots');
const IMAGES = path.join(ROOT, 'docs', 'images');
/** Shown in the README, so kept in the repository. */
const KEPT = ['list-light.png', 'detail-rolling-light.png', 'wizard-4-review-dark.png'];
const MAX_KEPT_BYTES = 200_000;

const LOOKS = [
  { name: 'light', width: 1360, height: 900, colorScheme: 'light' },
  { name: 'dark', width: 1360, height: 900, colorScheme: 'dark' },
  { name: 'narrow', width: 375, height: 812, colorScheme: 'light' },
] as const;

const wanted = process.argv.slice(2);
const executable = chromiumPath();
if (!executable) {
  console.error('Chromium is missing. Install the package "chromium" or set CHROMIUM_PATH.');
  process.exit(1);
}

const dataDir = await mkdtemp(path.join(tmpdir(), 'ops-center-screenshots-'));
const postgres = await startEmbeddedPostgres({ dataDir, persistent: false });
let host: RunningHost | undefined;
let browser: Browser | undefined;
try {
  host = await startHost({
    role: 'all',
    logger: pino({ level: 'error' }, pino.destination(2)),
    databaseUrl: postgres.connectionString(),
    pluginRoot: ROOT,
    pluginConfig: {},
    port: 0,
    listen: '127.0.0.1',
    // Nobody beats here; the devices shall stay online while the pictures are taken.
    heartbeatSeconds: 3_600,
  });
  if (!host.pluginActive || !host.admin?.token) {
    throw new Error('The plugin did not start. Run `npm run build` first.');
  }
  const scenes = await new SceneBuilder(host.url, host.admin.token, host.knex).build();
  await letTimePass(host.knex);
  browser = await launchChromium(executable);
  await mkdir(FOLDER, { recursive: true });
  for (const look of LOOKS) {
    for (const view of viewsOf(scenes)) {
      const file = `${view.name}-${look.name}.png`;
      if (wanted.length > 0 && !wanted.some((name) => file.startsWith(name))) continue;
      await photograph(browser, host, view, look, path.join(FOLDER, file));
      console.log(path.relative(ROOT, path.join(FOLDER, file)));
    }
  }
  if (wanted.length === 0) await keepForReadme();
} finally {
  await browser?.close();
  await host?.stop();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function photograph(
  chromium: Browser,
  { createLoginUrl, url }: RunningHost,
  view: View,
  look: (typeof LOOKS)[number],
  file: string,
): Promise<void> {
  const { width, height, colorScheme } = look;
  const context = await chromium.newContext({
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
  });
  try {
    const page = await context.newPage();
    await page.goto(await createLoginUrl());
    await view.before?.(page);
    await page.goto(url + view.path);
    await view.prepare(page);
    if (!view.before) await page.locator('.ota-skeleton').first().waitFor({ state: 'detached' });
    if (!view.windowOnly) {
      // The host's navigation is as high as the window, so the window takes the page's height.
      const pageHeight = Number(await page.evaluate('document.documentElement.scrollHeight'));
      await page.setViewportSize({ width, height: Math.max(height, pageHeight) });
    }
    // Pictures are taken of the page at rest: no fade, no ring of a field that was just clicked.
    await page.evaluate(
      'Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))',
    );
    await page.screenshot({ path: file, animations: 'disabled' });
  } finally {
    await context.close();
  }
}

async function keepForReadme(): Promise<void> {
  await mkdir(IMAGES, { recursive: true });
  for (const name of KEPT) {
    const target = path.join(IMAGES, name);
    await copyFile(path.join(FOLDER, name), target);
    const { size } = await stat(target);
    if (size > MAX_KEPT_BYTES) {
      throw new Error(
        `${name} has ${size} bytes; images in docs/images stay below ${MAX_KEPT_BYTES}.`,
      );
    }
  }
}
