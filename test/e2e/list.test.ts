import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment } from './support/rollout.ts';

const DEPLOYMENTS = 23;

describe('page: list', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
    await ops.addDevices(2);
    for (let number = 1; number <= DEPLOYMENTS; number += 1) {
      const { deployment_id: id } = await createDeployment(ops, {
        deployment_name: `Rollout ${number}`,
        target_version: `v3.${number}.0`,
      });
      if (number === 2) await ops.api('POST', `/deployments/${id}/cancel`);
    }
  });
  afterEach(() => ops?.closePages());
  after(() => ops?.close());

  const query = (page: Page) => new URL(page.url()).search;
  const shows = (page: Page, name: string) =>
    page.getByRole('link', { name, exact: true }).waitFor();

  it('keeps the page in the URL', async () => {
    const page = await ops.signIn();
    await page.getByText('1–20 of 23').waitFor();
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByText('21–23 of 23').waitFor();
    expect(query(page)).to.equal('?page=2');
    await page.reload();
    await shows(page, 'Rollout 1');
    await page.getByText('21–23 of 23').waitFor();
  });

  it('keeps status and search in the URL, and starts them on the first page', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}?page=2`);
    await page.getByRole('button', { name: 'Cancelled', exact: true }).click();
    await page.getByText('1–1 of 1').waitFor();
    expect(query(page)).to.equal('?status=cancelled');
    await page.getByLabel('Search deployments').fill('no such name');
    await page.getByText('No deployment matches').waitFor();
    expect(query(page)).to.equal('?status=cancelled&search=no+such+name');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.getByText('1–20 of 23').waitFor();
    expect(query(page)).to.equal('');
    expect(await page.getByLabel('Search deployments').inputValue()).to.equal('');
  });

  it('finds deployments by name and version, as a shared link requests', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}?search=Rollout+17`);
    await page.getByText('1–1 of 1').waitFor();
    expect(await page.getByLabel('Search deployments').inputValue()).to.equal('Rollout 17');
    await page.getByLabel('Search deployments').fill('v3.5.0');
    await shows(page, 'Rollout 5');
  });

  it('shows the last page if a link names one that no longer exists', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}?page=9`);
    await page.getByText('21–23 of 23').waitFor();
    expect(query(page)).to.equal('?page=2');
  });

  it('does not cancel a navigation that starts before it has loaded', async () => {
    const page = await ops.signIn('/admin/edge/devices');
    const list = await hold(page, '**/api/v1/admin/ota/deployments?**');
    const wizard = await hold(page, '**/chunks/NewDeploymentPage-*.js');
    // There is no ninth page: when the list arrives, the URL would be corrected.
    await page.goto(`${ops.url}${PAGE_ROOT}?page=9`);
    await list.asked;
    await page.getByRole('link', { name: 'New Deployment' }).click();
    await wizard.asked;
    const answered = page.waitForResponse((response) => response.url().includes('page=9'));
    list.release();
    await (await answered).finished();
    await page.locator('[aria-busy="false"]').waitFor();
    wizard.release();
    await page.getByLabel('Deployment Name').waitFor();
  });
});

/** Holds back responses to the page until they are released. */
async function hold(page: Page, url: string) {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let told = (): void => undefined;
  const asked = new Promise<void>((resolve) => (told = resolve));
  await page.route(url, async (route) => {
    told();
    await released;
    await route.continue();
  });
  return { asked, release: () => release() };
}
