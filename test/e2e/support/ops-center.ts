/** The stand-in with the built page, and a browser to open it with. */
import path from 'node:path';
import { existsSync } from 'node:fs';
import type { Knex } from 'knex';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../../../dev/screenshots/browser.ts';
import { DeviceClient } from '../../../dev/fleet/device-client.ts';
import { CHROMIUM, findProgram } from '../../../dev/programs.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';
import { insertDevices, type DeviceSeed } from '../../support/seed.ts';

export const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../../..');
export const PAGE_ROOT = '/admin/edge/ota';

const METRICS_TOKEN = 'scraper-token-for-tests';

export interface PageOptions {
  /** Default 1360 × 900. */
  width?: number;
  height?: number;
  dark?: boolean;
  /** Another way to the server than its own address. */
  origin?: string;
}

export class OpsCenter {
  readonly host: TestHost;
  /** What browsers refused because of the content security policy; must be empty at the end. */
  readonly policyViolations: string[] = [];
  readonly #browser: Browser;
  #contexts: BrowserContext[] = [];

  private constructor(host: TestHost, browser: Browser) {
    this.host = host;
    this.#browser = browser;
  }

  /**
   * Skips the suite where there is no Chromium, and fails it in continuous integration: there it must
   * not pass because nothing was looked at.
   */
  static async open(
    suite: Mocha.Context,
    config: object = {},
    prepare?: (knex: Knex) => Promise<void>,
  ): Promise<OpsCenter> {
    const chromium = findProgram(CHROMIUM);
    if (chromium === null) {
      if (process.env['CI'] === 'true') {
        throw new Error('Chromium is missing: install "chromium" or set CHROMIUM_PATH.');
      }
      suite.skip();
    }
    for (const built of ['dist/frontend/page.js', 'dist/backend/plugin.js']) {
      if (!existsSync(path.join(PACKAGE_ROOT, built))) {
        throw new Error(`${built} is missing: run "npm run build" before the browser tests.`);
      }
    }
    const settings = {
      pluginRoot: PACKAGE_ROOT,
      pluginConfig: { poll_interval_seconds: 1, allow_insecure_loopback_packages: true, ...config },
      // Devices of a test send no heartbeats; they stay online for its time.
      heartbeatSeconds: 3_600,
      metricsToken: METRICS_TOKEN,
    };
    const host = await startTestHost(settings, prepare);
    return new OpsCenter(host, await launchChromium(chromium));
  }

  get url(): string {
    return this.host.url;
  }

  /** Devices of the admin's organization. */
  async addDevices(
    count: number,
    seed: Omit<DeviceSeed, 'organizationId'> = {},
  ): Promise<DeviceClient[]> {
    const organizationId = this.host.admin?.organizationId ?? '';
    const devices = await insertDevices(this.host.knex, count, { ...seed, organizationId });
    return devices.map((device) => new DeviceClient(this.url, device));
  }

  /** A signed-in page in a browser profile of its own, at `path` of the host. */
  async signIn(path: string = PAGE_ROOT, options: PageOptions = {}): Promise<Page> {
    const { width = 1360, height = 900, dark = false, origin = this.url } = options;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
    });
    this.#contexts.push(context);
    context.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text()))
        this.policyViolations.push(message.text());
    });
    const page = await context.newPage();
    const login = new URL(await this.host.createLoginUrl());
    await page.goto(origin + login.pathname + login.search);
    await page.goto(origin + path);
    return page;
  }

  /** Sends a request to the admin API, for what a test cannot do or see on the page. */
  async api<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const agent = this.host.as(this.host.adminToken);
    const url = `/api/v1/admin/ota${path}`;
    const response =
      method === 'GET' ? await agent.get(url) : await agent.post(url).send(body ?? {});
    if (response.status >= 400) throw new Error(`${method} ${path} → ${response.text}`);
    return response.body as T;
  }

  /** A figure without labels, as a scraper reads it. */
  async metric(name: string): Promise<number> {
    const { text } = await this.host.as(METRICS_TOKEN).get('/metrics').expect(200);
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** Ends the profiles of the last test. */
  async closePages(): Promise<void> {
    const contexts = this.#contexts;
    this.#contexts = [];
    await Promise.all(contexts.map((context) => context.close()));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.host.dispose();
    if (this.policyViolations.length > 0) throw new Error(this.policyViolations.join('\n'));
  }
}
