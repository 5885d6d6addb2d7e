/**
 * `npm run screenshots [PREFIX…]`: starts the stand-in host with a fleet and deployments in many states, and
 * writes screenshots of every view, light, dark and narrow, to `screenshots/`. With prefixes, only files whose
 * name starts with one of them.
 */
import { copyFile, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import type { Browser } from 'playwright-core';
import { startEmbeddedPostgres } from '../../backend/server/postgres/embedded-postgres.ts';
import { startHost, type RunningHost } from '../host/host.ts';
import { chromiumPath, launchChromium } from './browser.ts';
import { backdateDeployments } from './backdate.ts';
import { SceneBuilder } from './scenes.ts';
import { viewsOf, type View } from './views.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, 'screenshots');
const IMAGES = path.join(ROOT, 'docs', 'images');
/** Copied to `docs/images`, for the README. */
const README_IMAGES = ['list-light.png', 'detail-rolling-light.png', 'wizard-4-review-dark.png'];
const MAX_IMAGE_BYTES = 200_000;

const VARIANTS = [
  { name: 'light', width: 1360, height: 900, colorScheme: 'light' },
  { name: 'dark', width: 1360, height: 900, colorScheme: 'dark' },
  { name: 'narrow', width: 375, height: 812, colorScheme: 'light' },
] as const;

const wanted = process.argv.slice(2);
const executable = chromiumPath();
if (!executable) {
  console.error('Chromium is not installed. Install the package "chromium", or set CHROMIUM_PATH.');
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
    // No device sends heartbeats, but all have to stay online.
    heartbeatSeconds: 3_600,
  });
  if (!host.pluginActive || !host.admin?.token) {
    throw new Error('The plugin could not be activated. Run `npm run build` first.');
  }
  const scenes = await new SceneBuilder(host.url, host.admin.token, host.knex).build();
  await backdateDeployments(host.knex);
  browser = await launchChromium(executable);
  await mkdir(FOLDER, { recursive: true });
  for (const variant of VARIANTS) {
    for (const view of viewsOf(scenes)) {
      const file = `${view.name}-${variant.name}.png`;
      if (wanted.length > 0 && !wanted.some((name) => file.startsWith(name))) continue;
      await takeScreenshot(browser, host, view, variant, path.join(FOLDER, file));
      console.log(path.relative(ROOT, path.join(FOLDER, file)));
    }
  }
  if (wanted.length === 0) await updateReadmeImages();
} finally {
  await browser?.close();
  await host?.stop();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function takeScreenshot(
  chromium: Browser,
  { createLoginUrl, url }: RunningHost,
  view: View,
  variant: (typeof VARIANTS)[number],
  file: string,
): Promise<void> {
  const { width, height, colorScheme } = variant;
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
      // Not `fullPage`: the host's navigation is as high as the window.
      const pageHeight = Number(await page.evaluate('document.documentElement.scrollHeight'));
      await page.setViewportSize({ width, height: Math.max(height, pageHeight) });
    }
    // Wait for animations, such as fading dialogs and focus rings.
    await page.evaluate(
      'Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))',
    );
    await page.screenshot({ path: file, animations: 'disabled' });
  } finally {
    await context.close();
  }
}

async function updateReadmeImages(): Promise<void> {
  await mkdir(IMAGES, { recursive: true });
  for (const name of README_IMAGES) {
    const target = path.join(IMAGES, name);
    await copyFile(path.join(FOLDER, name), target);
    const { size } = await stat(target);
    if (size > MAX_IMAGE_BYTES) {
      throw new Error(
        `${name} has ${size} bytes; the limit for docs/images is ${MAX_IMAGE_BYTES}.`,
      );
    }
  }
}
