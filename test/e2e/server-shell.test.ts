import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';

import { accessibilityViolations } from '../support/accessibility.ts';
import { launchBrowser } from '../support/browser.ts';
import { startShellHost, type RefusedDevice, type ShellHost } from '../support/shell-host.ts';

const HOME = '/admin/edge/ota';
const DEVICE_ACCESS = `${HOME}/_device-access`;

function refused(id: string, values: Partial<RefusedDevice> = {}): RefusedDevice {
  return {
    request_id: id,
    device_id: `device-${id}`,
    device_name: `turbine-${id}`,
    device_type: 'raspberry_pi',
    hardware_id: `hw-${id}`,
    reason: 'window_closed',
    address: '192.0.2.7',
    token_fingerprint: '3fa1 92c0 77de',
    first_seen_at: '2026-11-20T08:00:00Z',
    last_seen_at: '2026-11-26T08:00:00Z',
    attempts: 3,
    enrolled_at: null,
    ...values,
  };
}

describe('the shell of ota-server', function () {
  this.timeout(60_000);

  let browser: Browser | null;
  let host: ShellHost;
  let session: NonNullable<ShellHost['session']>;
  let context: BrowserContext;
  let page: Page;
  let violations: string[];

  before(async function () {
    browser = await launchBrowser();
    if (browser === null) return this.skip();
    host = await startShellHost({ basePath: '/ops' });
    session = host.session!;
  });
  after(async () => {
    await browser?.close();
    await host?.stop();
  });

  beforeEach(async () => {
    host.session = session;
    host.sessionFailure = null;
    host.refused = [];
    host.admitted = [];
    host.openUntil = null;
    context = await browser!.newContext({ colorScheme: 'light', reducedMotion: 'reduce' });
    page = await context.newPage();
    violations = [];
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) violations.push(message.text());
    });
  });
  afterEach(async () => {
    await context.close();
    expect(violations, 'content security policy').to.deep.equal([]);
  });

  const open = async (path = HOME): Promise<void> => {
    await page.goto(`${host.url}/ops${path}`);
  };
  const heading = (name: string): Promise<void> =>
    page.getByRole('heading', { name, exact: true }).waitFor();

  it('shows the page, live, with links and requests below the path prefix', async () => {
    const opened: string[] = [];
    page.on('request', (request) => opened.push(new URL(request.url()).pathname));
    await open();
    await page.getByText('No deployments yet').waitFor();
    await page.getByText('Live', { exact: true }).first().waitFor();
    expect(opened.filter((path) => !path.startsWith('/ops/'))).to.deep.equal([]);
    expect(opened).to.include('/ops/api/v1/admin/ota/stream');
    await page.getByRole('link', { name: 'New Deployment' }).first().click();
    await page.waitForURL(`**/ops${HOME}/new`);
    await page.reload();
    await page.getByLabel('Deployment Name').waitFor();
  });

  it('shows who is signed in, and a link back to the platform', async () => {
    await open();
    await page.getByText('Ada Admin').waitFor();
    const back = page.getByRole('link', { name: 'Back to Ops-Center' });
    expect(await back.getAttribute('href')).to.equal('https://ops-center.example.com/admin');
  });

  it('switches the organization', async () => {
    await open(`${HOME}/new`);
    await page.getByLabel('Organization').selectOption('Contoso Water');
    await page.waitForURL(`**/ops${HOME}`);
    await page.getByText('No deployments yet').waitFor();
    expect(host.session?.organization?.name).to.equal('Contoso Water');
    const shown = page.getByLabel('Organization').locator('option:checked');
    expect(await shown.textContent()).to.equal('Contoso Water');
  });

  it('shows the name of the only organization', async () => {
    host.session = { ...session, organizations: session.organizations.slice(0, 1) };
    await open();
    await page.getByText('Northwind Wind Parks').waitFor();
    expect(await page.getByLabel('Organization').count()).to.equal(0);
  });

  it('signs out, and asks to sign in again for the same page', async () => {
    await open(DEVICE_ACCESS);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading('Sign in');
    expect(new URL(page.url()).searchParams.get('next')).to.equal(`/ops${DEVICE_ACCESS}`);
  });

  it('has no button to sign out where the platform has none', async () => {
    host.session = { ...session, sign_out: null };
    await open();
    await page.getByText('Ada Admin').waitFor();
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).to.equal(0);
  });

  it('goes to the sign-in address of the session if the document was sent before it ended', async () => {
    await page.route(`**/ops${HOME}`, async (route) => {
      const response = await route.fetch();
      host.session = null;
      await route.fulfill({ response });
    });
    await open();
    await heading('Sign in');
    const { searchParams } = new URL(page.url());
    expect(Object.fromEntries(searchParams)).to.deep.equal({
      from: 'session',
      next: `/ops${HOME}`,
    });
  });

  it('tells users who are not admins why there is nothing to see', async () => {
    host.session = { ...session, is_admin: false };
    await open();
    await heading('You need to be an admin');
    await page
      .getByText('You are signed in as Ada Admin, but only admins of Northwind Wind Parks')
      .waitFor();
    expect(await page.getByRole('link', { name: 'Device access' }).count()).to.equal(0);
    expect(await accessibilityViolations(page)).to.deep.equal([]);
    host.session = { ...session, is_admin: false, organization: null, organizations: [] };
    await page.reload();
    await page.getByText('you belong to no organization').waitFor();
  });

  it('explains why it cannot be loaded, and can be loaded again', async () => {
    host.sessionFailure = new Error('The session store is not available.');
    await open();
    const alert = page.getByRole('alert');
    expect(await alert.textContent()).to.include('The session store is not available.');
    host.sessionFailure = null;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('No deployments yet').waitFor();
  });

  it('remembers the chosen theme, and follows the system again', async () => {
    await open(DEVICE_ACCESS);
    await page.getByLabel('Theme').selectOption('Dark');
    await page.locator('html.dark').waitFor();
    await page.reload();
    await heading('Device access');
    expect(await page.locator('html.dark').count()).to.equal(1);
    await page.getByLabel('Theme').selectOption('System');
    await page.locator('html:not(.dark)').waitFor();
  });

  it('marks the current page only', async () => {
    await open();
    await page.getByText('No deployments yet').waitFor();
    await page.getByRole('link', { name: 'Device access' }).click();
    await heading('Device access');
    expect(await page.title()).to.equal('Device access – Ops-Center');
    const marked = page.getByRole('navigation', { name: 'Main' }).locator('[aria-current]');
    expect(await marked.allTextContents()).to.deep.equal(['Device access']);
  });

  describe('on its page for device access', () => {
    const row = (name: string) => page.getByRole('listitem').filter({ hasText: name });
    const status = (text: string): Promise<void> =>
      page.getByRole('status').filter({ hasText: text }).waitFor();

    it('explains why each device was refused', async () => {
      host.refused = [
        refused('1', { attempts: 1 }),
        refused('2', { reason: 'other_token', enrolled_at: '2026-10-01T00:00:00Z' }),
      ];
      await open(DEVICE_ACCESS);
      await row('turbine-1').getByText('while enrolment was closed').waitFor();
      await row('turbine-1')
        .locator('dl > div', { hasText: /^Attempts1$/ })
        .waitFor();
      await row('turbine-2').getByText('enrolled with a different token').waitFor();
      await row('turbine-2')
        .locator('dl > div', { hasText: /^Attempts3$/ })
        .waitFor();
    });

    it('admits a new device at once', async () => {
      host.refused = [refused('1'), refused('2')];
      await open(DEVICE_ACCESS);
      await page.getByRole('button', { name: 'Admit turbine-1' }).click();
      await status('turbine-1 was admitted.');
      expect(host.admitted).to.deep.equal(['1']);
      await page.locator('#requests-title:focus').waitFor();
      expect(await page.getByText('turbine-1', { exact: true }).count()).to.equal(0);
      await row('turbine-2').waitFor();
    });

    it('asks before a token replaces another one', async () => {
      host.refused = [
        refused('1', { reason: 'hardware_changed', enrolled_at: '2026-10-01T00:00:00Z' }),
      ];
      await open(DEVICE_ACCESS);
      const dialog = page.getByRole('dialog', { name: 'Replace the token of turbine-1?' });
      await page.getByRole('button', { name: 'Admit turbine-1' }).click();
      await dialog.waitFor();
      expect(await accessibilityViolations(page)).to.deep.equal([]);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      expect(host.admitted).to.deep.equal([]);
      await page.getByRole('button', { name: 'Admit turbine-1' }).click();
      await dialog.getByRole('button', { name: 'Replace the token' }).click();
      await status('turbine-1 was admitted.');
      expect(host.admitted).to.deep.equal(['1']);
    });

    it('removes a device from the list', async () => {
      host.refused = [refused('1')];
      await open(DEVICE_ACCESS);
      await page.getByRole('button', { name: 'Remove turbine-1' }).click();
      await page.getByText('No device was refused.').waitFor();
      expect(host.admitted).to.deep.equal([]);
    });

    it('shows the error if a device cannot be admitted', async () => {
      host.refused = [refused('1')];
      await open(DEVICE_ACCESS);
      await row('turbine-1').waitFor();
      host.refused = [];
      await page.getByRole('button', { name: 'Admit turbine-1' }).click();
      const alert = page.getByRole('alert');
      expect(await alert.textContent()).to.equal('turbine-1: The device is no longer listed.');
    });

    it('pages through long lists, and searches them', async () => {
      host.refused = ['1', '2', '3'].map((id) => refused(id));
      await open(DEVICE_ACCESS);
      await row('turbine-2').waitFor();
      expect(await row('turbine-3').count()).to.equal(0);
      await page.getByRole('button', { name: 'Show more' }).click();
      await row('turbine-3').waitFor();
      await page.getByLabel(/^Search refused devices/).fill('turbine-2');
      await row('turbine-3').waitFor({ state: 'detached' });
      await row('turbine-2').waitFor();
      await page.getByLabel(/^Search refused devices/).fill('nothing');
      await page.getByText('No refused device matches.').waitFor();
    });

    it('opens and closes enrolment', async () => {
      await open(DEVICE_ACCESS);
      await page.getByText('within 24 hours after it was created').waitFor();
      await page.getByLabel('Open for').selectOption('4 hours');
      await page.getByRole('button', { name: 'Open enrolment' }).click();
      await page.getByText('admitted when it calls for the first time').waitFor();
      const hours = (host.openUntil!.getTime() - Date.now()) / 3_600_000;
      expect(hours).to.be.within(3.9, 4);
      await page.getByRole('button', { name: 'Close enrolment' }).click();
      await page.getByRole('button', { name: 'Open enrolment' }).waitFor();
      expect(host.openUntil).to.equal(null);
    });

    it('shows text from devices as text', async () => {
      const markup = '<img src=x onerror="document.title=1">';
      host.refused = [
        refused('1', {
          device_name: markup,
          hardware_id: markup,
          address: markup,
          device_type: markup,
          reason: markup,
          enrolled_at: '2026-10-01T00:00:00Z',
        }),
      ];
      await open(DEVICE_ACCESS);
      await page.getByRole('heading', { name: markup }).waitFor();
      await page.getByRole('button', { name: 'Admit' }).click();
      await page.getByRole('dialog').waitFor();
      expect(await page.locator('main img').count()).to.equal(0);
    });

    for (const colorScheme of ['light', 'dark'] as const) {
      it(`is accessible, also on a narrow screen (${colorScheme})`, async () => {
        host.refused = [
          refused('1'),
          refused('2', {
            reason: 'other_token',
            device_name: `a-name-without-spaces-${'x'.repeat(120)}`,
            enrolled_at: '2026-10-01T00:00:00Z',
          }),
        ];
        await page.emulateMedia({ colorScheme });
        for (const width of [1280, 360]) {
          await page.setViewportSize({ width, height: 800 });
          await open(DEVICE_ACCESS);
          await row('turbine-1').waitFor();
          expect(await accessibilityViolations(page), `${width}`).to.deep.equal([]);
          const overflow = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          );
          expect(overflow, `${width}`).to.equal(0);
        }
      });
    }
  });
});
