import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import supertest from 'supertest';

import { DeviceClient } from '../../dev/fleet/device-client.ts';
import { launchBrowser } from '../support/browser.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { startOtaServerHost, type OtaServerHost } from '../support/ota-server-host.ts';
import { followQuickStart } from './support/quick-start.ts';

describe('ota-server behind nginx, with a session of Ops-Center', function () {
  this.timeout(90_000);

  let host: OtaServerHost;
  let nginx: Nginx;
  let browser: Browser;

  before(async function () {
    const [server, chromium] = [await startOtaServerHost(), await launchBrowser()];
    if (!server || !chromium) return this.skip();
    host = server;
    browser = chromium;
    const proxy = await startNginx('nginx.conf', {
      platform: portOf(host.platform.url),
      otaServer: portOf(host.url),
    });
    if (!proxy) return this.skip();
    nginx = proxy;
  });

  after(async () => {
    await browser?.close();
    await nginx?.stop();
    await host?.dispose();
  });

  const portOf = (url: string): number => Number(new URL(url).port);

  async function openPage(cookie: string | null, path: string) {
    const context = await browser.newContext({
      viewport: { width: 1360, height: 900 },
      reducedMotion: 'reduce',
      ignoreHTTPSErrors: true,
    });
    const [name = '', value = ''] = cookie?.split('=') ?? [];
    if (cookie) await context.addCookies([{ name, value, url: nginx.url }]);
    const page = await context.newPage();
    await page.goto(nginx.url + path);
    return page;
  }

  async function addDevices(count: number, columns: object): Promise<DeviceClient[]> {
    const devices: DeviceClient[] = [];
    for (let index = 0; index < count; index += 1) {
      const { id, token } = await host.addDevice(undefined, columns);
      devices.push(new DeviceClient(host.url, { id, name: id, token }));
    }
    return devices;
  }

  it('leads through the quick start, from the list to a finished canary', async () => {
    const pi = { device_type: 'raspberry_pi', firmware_version: 'v1.9.0' };
    const devices = await addDevices(45, pi);
    await addDevices(3, { ...pi, firmware_version: 'v2.0.0' });
    await addDevices(2, { ...pi, status: 'offline' });
    await addDevices(4, { ...pi, device_type: 'nvidia_jetson' });
    const page = await openPage(await host.platform.signIn(), '/admin/edge/ota');
    await page.getByText(host.platform.user.email).first().waitFor();
    const { id } = await followQuickStart(page, devices);
    const [row] = await host
      .knex('ota_deployments')
      .where({ id })
      .select<{ created_by: string; status: string }[]>('created_by', 'status');
    expect(row).to.deep.equal({ created_by: host.platform.user.id, status: 'completed' });
  });

  it('shows a device whose token is not the enrolled one, and admits it', async () => {
    const device = await host.addDevice();
    const poll = (token: string) =>
      supertest(host.url)
        .get(`/api/v1/ota/check-update?device_id=${device.id}`)
        .auth(token, { type: 'bearer' });
    await poll(device.token).expect(200);
    const stranger = 'ef'.repeat(32);
    await poll(stranger).expect(401);

    const page = await openPage(await host.platform.signIn(), '/admin/edge/ota');
    await page.getByRole('link', { name: 'Device access' }).click();
    await page
      .getByText(`device-${device.id.slice(0, 8)}`)
      .first()
      .waitFor();
    await page
      .getByRole('button', { name: /^Admit/ })
      .first()
      .click();
    const dialog = page.getByRole('dialog');
    const admitted = page.waitForResponse((response) => response.url().endsWith('/admit'));
    await dialog.getByRole('button', { name: /replace|admit/i }).click();
    expect((await admitted).status()).to.equal(200);
    await poll(stranger).expect(200);
    await poll(device.token).expect(401);
  });

  it('sends someone who is not signed in to the sign-in of Ops-Center', async () => {
    const page = await openPage(null, '/admin/edge/ota');
    expect(new URL(page.url()).pathname).to.equal('/login');
  });

  it('tells a member of the organization who is not an admin so', async () => {
    const member = await host.addUser('member');
    const page = await openPage(await host.platform.signIn(member), '/admin/edge/ota');
    await page.getByText('only admins of Ops-Center can open this page').waitFor();
  });
});
