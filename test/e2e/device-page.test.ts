import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type { DeviceClient } from '../../dev/fleet/device-client.ts';
import { accessibilityViolations } from '../support/accessibility.ts';
import { confirmButton, expectNoSidewaysScroll } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

describe('page: one device', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let device: DeviceClient;

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
    [device] = (await ops.addDevices(1)) as [DeviceClient];
  });
  afterEach(() => ops?.close());

  const pathOf = ({ id }: Pick<DeviceClient, 'id'>) => `${PAGE_ROOT}/devices/${id}`;
  const heading = (page: Page, name = device.name) => page.getByRole('heading', { level: 1, name });
  const entry = (page: Page, deployment: string) =>
    page
      .getByRole('region', { name: 'History' })
      .getByRole('listitem')
      .filter({
        has: page.getByRole('link', { name: deployment, exact: true }),
      });
  const waiting = (page: Page) => page.getByTestId('waiting');

  async function begin(deployment_name: string, target_version: string): Promise<string> {
    const { deployment_id: id } = await createDeployment(ops, { deployment_name, target_version });
    await ops.api('POST', `/deployments/${id}/start`);
    await offered([device], id, 1);
    return id;
  }

  async function confirm(page: Page): Promise<void> {
    await (await confirmButton(page)).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  }

  it('is reached from the table, the drawer and the timeline, and leads back to the deployment', async () => {
    const id = await begin('Pumps', 'v2.1.0');
    await device.report(id, { status: 'failed', error_message: 'disk full' });

    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByRole('link', { name: `Page of ${device.name}` }).click();
    await heading(page).waitFor();
    expect(new URL(page.url()).pathname).to.equal(pathOf(device));
    await page.getByRole('link', { name: 'Pumps', exact: true }).click();
    await heading(page, 'Pumps').waitFor();

    await page.getByRole('button', { name: `Details of ${device.name}` }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Everything about' }).click();
    await heading(page).waitFor();
    expect(await page.getByRole('dialog').count()).to.equal(0);

    await page.goto(`${ops.url}${PAGE_ROOT}/${id}?tab=timeline`);
    await page.getByRole('link', { name: device.name }).first().click();
    await heading(page).waitFor();
  });

  it('tells live what the device waits for and works on', async () => {
    const page = await ops.signIn(pathOf(device));
    await heading(page).waitFor();
    await page.getByText('Nothing to do').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();

    const { deployment_id: id } = await createDeployment(ops, { deployment_name: 'Pumps' });
    await page.getByRole('heading', { name: 'Waiting for its update' }).waitFor();
    await waiting(page).getByText('The deployment has not started.').waitFor();

    await ops.api('POST', `/deployments/${id}/start`);
    await waiting(page).getByText('the next time it checks in').waitFor();
    await ops.api('POST', `/deployments/${id}/pause`);
    await waiting(page).getByText('The deployment is paused.').waitFor();
    await waiting(page).getByText('since').waitFor();
    await ops.api('POST', `/deployments/${id}/resume`);
    await offered([device], id, 1);

    await device.report(id, { status: 'downloading', progress: 40 });
    await page.getByRole('heading', { name: 'Updating' }).waitFor();
    await page.getByText('40 %').waitFor();
    await device.report(id, 'installing', 'verifying', 'completed');
    await page.getByText('Nothing to do').waitFor();
    await entry(page, 'Pumps').getByText('Completed').waitFor();
    await page.getByRole('region', { name: 'About this device' }).getByText('v2.1.0').waitFor();
  });

  it('the table shows what devices wait for, filters by it, and follows a pause', async () => {
    await ops.addDevices(3);
    const { deployment_id: id } = await createDeployment(ops, {
      rollout_strategy: 'canary',
      rollout_percentage: 25,
    });
    await ops.api('POST', `/deployments/${id}/start`);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    const rows = page.locator('[data-row]');
    const cells = (text: string) => rows.getByRole('cell', { name: text, exact: true });
    await cells('Next check-in').waitFor();
    expect(await cells('Expansion').count()).to.equal(3);

    await page.getByRole('combobox', { name: 'Waiting for' }).press('Enter');
    await page.getByRole('option', { name: 'Expansion' }).click();
    await page.waitForURL(/waiting_for=expansion/);
    await page.getByText('3 of 3 devices loaded').waitFor();
    expect(await rows.count()).to.equal(3);
    await page.goto(`${ops.url}${PAGE_ROOT}/${id}?waiting_for=offered`);
    await page.getByText('1 of 1 device loaded').waitFor();

    await page.goto(`${ops.url}${PAGE_ROOT}/${id}`);
    await cells('Next check-in').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await ops.api('POST', `/deployments/${id}/pause`);
    await cells('Resume').nth(3).waitFor();
  });

  it('shows its history with results, errors, earlier attempts, rollbacks and logs', async () => {
    const completed = await begin('First', 'v2.1.0');
    await complete(device, completed);
    const failed = await begin('Second', 'v2.2.0');
    await device.report(failed, { status: 'failed', error_message: 'disk full' });
    await ops.api('POST', `/deployments/${failed}/retry`);
    await offered([device], failed, 1);
    await device.sendLog(failed, { attempt: 2, chunk: 'pump.service failed\n', offset: 0 });
    await device.report(failed, 'installing', {
      status: 'rolled_back',
      error_message: 'Health check failed',
      installed_version: 'v2.1.0',
    });
    const cancelled = await begin('Third', 'v2.3.0');
    await ops.api('POST', `/deployments/${cancelled}/cancel`);

    const page = await ops.signIn(pathOf(device));
    await entry(page, 'Third').getByText('The deployment was cancelled.').waitFor();
    const names = await page
      .getByRole('region', { name: 'History' })
      .getByRole('link')
      .allInnerTexts();
    expect(names).to.deep.equal(['Third', 'Second', 'First']);
    await entry(page, 'First').getByText('v2.0.0 → v2.1.0').waitFor();
    await entry(page, 'First')
      .getByText(/took \d+ s/)
      .waitFor();

    const second = entry(page, 'Second');
    await second.getByText('Health check failed').waitFor();
    await second.getByText('2 attempts').waitFor();
    await second.getByRole('button', { name: 'Details of Second' }).click();
    await second.getByText('The device rolled back by itself.').waitFor();
    await second.getByText('Attempt 1: Failed').waitFor();
    await second.getByText('disk full').waitFor();
    await second.getByText('pump.service failed').waitFor();
  });

  it('retries, rolls back and cancels a rollback from it', async () => {
    const failed = await begin('Pumps', 'v2.1.0');
    await device.report(failed, { status: 'failed', error_message: 'disk full' });
    const page = await ops.signIn(pathOf(device));
    // The newest update is open, because there is no other one.
    await entry(page, 'Pumps').getByRole('button', { name: 'Retry' }).click();
    await confirm(page);
    await page.getByRole('heading', { name: 'Waiting for its update' }).waitFor();
    expect(await device.checkUpdate()).to.include({ update_available: true, attempt: 2 });

    await complete(device, failed);
    await entry(page, 'Pumps').getByRole('button', { name: 'Roll back' }).click();
    await confirm(page);
    await page.getByRole('heading', { name: 'Rolling back' }).waitFor();
    await page.getByText('Rollback to v2.0.0 requested').waitFor();
    await page.getByRole('button', { name: 'Cancel rollback' }).click();
    await confirm(page);
    await page.getByText('Nothing to do').waitFor();
    expect(await device.checkUpdate()).to.deep.include({ update_available: false });
  });

  it('shows what the host and the device have recorded, as text', async () => {
    await ops.host
      .knex('edge_devices')
      .where({ id: device.id })
      .update({ metadata: JSON.stringify({ site: '<b>berlin</b>', rack: 12, outdoor: false }) });
    await device.checkUpdate('v2.0.0', {
      protection: 'none',
      components: '{"camera":"v1.4.2"}',
    });
    const page = await ops.signIn(pathOf(device));
    const facts = page.getByRole('region', { name: 'About this device' });
    await facts.getByText('<b>berlin</b>').waitFor();
    await facts.getByText('camera v1.4.2').waitFor();
    await facts.getByText('The device would not come back by itself').waitFor();
    const text = await facts.innerText();
    expect(text).to.match(/outdoor\s+no/);
    expect(text).to.match(/rack\s+12/);
  });

  it('keeps the history of a device that was removed, and does not know others', async () => {
    await complete(device, await begin('Pumps', 'v2.1.0'));
    await ops.host.knex('edge_devices').where({ id: device.id }).delete();
    const page = await ops.signIn(pathOf(device));
    await heading(page).waitFor();
    await page.getByText('not in your organization any more').waitFor();
    await entry(page, 'Pumps').getByText('Completed').waitFor();

    await page.goto(ops.url + pathOf({ id: '00000000-0000-4000-8000-000000000000' }));
    await page.getByText('Device not found').waitFor();
    await page.getByRole('link', { name: 'All deployments' }).first().click();
    await heading(page, 'OTA Deployments').waitFor();
  });

  it('loads its history page by page', async () => {
    const { deployment_id: id } = await createDeployment(ops, { deployment_name: 'Original' });
    await ops.host.knex.transaction(async (tx) => {
      await tx.raw(
        `CREATE TEMPORARY TABLE copies ON COMMIT DROP AS
         SELECT gen_random_uuid() AS id, n FROM generate_series(1, 70) n`,
      );
      await tx.raw(
        `INSERT INTO ota_deployments
         SELECT (jsonb_populate_record(d, jsonb_build_object(
           'id', copies.id, 'deployment_name', 'Copy ' || n, 'status', 'completed',
           'created_at', d.created_at - n * interval '1 hour'))).*
         FROM ota_deployments d, copies WHERE d.id = ?`,
        [id],
      );
      await tx.raw(
        `INSERT INTO ota_deployment_batches
         SELECT (jsonb_populate_record(b, jsonb_build_object('deployment_id', copies.id))).*
         FROM ota_deployment_batches b, copies WHERE b.deployment_id = ?`,
        [id],
      );
      await tx.raw(
        `INSERT INTO ota_deployment_devices
         SELECT (jsonb_populate_record(t, jsonb_build_object(
           'deployment_id', copies.id, 'status', 'completed'))).*
         FROM ota_deployment_devices t, copies WHERE t.deployment_id = ?`,
        [id],
      );
    });
    const page = await ops.signIn(pathOf(device));
    await entry(page, 'Copy 49').waitFor();
    expect(await entry(page, 'Copy 50').count()).to.equal(0);
    await page.getByRole('button', { name: 'Show earlier updates' }).click();
    await entry(page, 'Copy 70').waitFor();
    expect(await page.getByRole('button', { name: 'Show earlier updates' }).count()).to.equal(0);
    // More than one page stays loaded when something changes.
    await ops.api('POST', `/deployments/${id}/start`);
    await waiting(page).getByText('the next time it checks in').waitFor();
    await entry(page, 'Copy 70').waitFor();
  });

  it('is accessible and fits a narrow window', async () => {
    await device.report(await begin('Pumps', 'v2.1.0'), {
      status: 'failed',
      error_message: 'an error without a space to break at: '.repeat(3) + 'x'.repeat(200),
    });
    const page = await ops.signIn(pathOf(device));
    await entry(page, 'Pumps').getByRole('button', { name: 'Retry' }).waitFor();
    expect(await accessibilityViolations(page)).to.deep.equal([]);
    await page.setViewportSize({ width: 375, height: 812 });
    await expectNoSidewaysScroll(page, 'device');
    await entry(page, 'Pumps').getByRole('button', { name: 'Retry' }).waitFor();
  });
});
