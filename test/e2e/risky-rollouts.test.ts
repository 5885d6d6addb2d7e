import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type { DeploymentDetail, DeploymentList } from '../../backend/contract/admin-api.ts';
import { act, hasStatus } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';
import { basicInfo, next, reviewByWizard, updatePackage } from './support/wizard.ts';

describe('page: risky rollouts', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
  });
  afterEach(() => ops?.close());

  const statusOf = async (id: string) =>
    (await ops.api<DeploymentDetail>('GET', `/deployments/${id}`)).status;

  it('G42 the review shows what changes, and a risky start asks for the number of devices', async () => {
    await ops.addDevices(6, { deviceType: 'raspberry_pi', firmwareVersion: 'v2.0.0' });
    const [held] = await ops.addDevices(3, {
      deviceType: 'jetson',
      firmwareVersion: 'v3.0.0',
      namePrefix: 'jetson',
    });
    const { deployment_id: running } = await createDeployment(ops, {
      deployment_name: 'Already on its way',
      device_ids: [held!.id],
    });
    await ops.api('POST', `/deployments/${running}/start`);

    const page = await ops.signIn();
    await reviewByWizard(page, {
      name: 'For all of them',
      version: 'v2.1.0',
      strategy: 'Immediate',
    });
    const impact = page.getByTestId('impact');
    await impact.waitFor();
    const impactText = await impact.innerText();
    expect(impactText).to.include('9 of 9 devices in the fleet');
    expect(impactText).to.include('6 devices upgraded');
    expect(impactText).to.include('3 devices downgraded');
    expect(impactText).to.include('2 device types: raspberry_pi (6), jetson (3)');
    expect(impactText.replace(/\s+/g, ' ')).to.include(
      '1 of these devices also belongs to Already on its way (v2.1.0, In progress)',
    );
    expect(impactText).to.include(
      'You will have to enter the number of devices when you start it.',
    );
    await page.getByRole('button', { name: 'Create Deployment' }).click();
    await page.waitForURL(new RegExp(`${PAGE_ROOT}/[0-9a-f-]{36}$`));
    const id = page.url().split('/').at(-1) ?? '';

    await page.getByRole('button', { name: 'Start', exact: true }).click();
    const dialog = page.getByRole('dialog');
    const count = dialog.getByLabel('type the number of devices: 9');
    await count.waitFor();
    expect(await dialog.locator('[data-confirm]').isDisabled()).to.equal(true);
    await count.fill('6');
    await count.press('Enter');
    expect(await dialog.locator('[data-confirm]').isDisabled()).to.equal(true);
    expect(await statusOf(id)).to.equal('pending');
    await count.fill('9');
    await dialog.locator('[data-confirm]:not([disabled])').click();
    await hasStatus(page, 'In progress');
  });

  it('G42 a scheduled start is confirmed when the deployment is created', async () => {
    await ops.addDevices(4, { firmwareVersion: 'v3.0.0' });
    const page = await ops.signIn();
    await page.getByRole('link', { name: 'New Deployment' }).click();
    await basicInfo(page, { name: 'Tonight', version: 'v2.1.0', strategy: 'Canary' });
    await page.getByText('Safety and schedule').click();
    await page.getByLabel('Scheduled start').fill('2099-01-01T03:00');
    await next(page);
    await next(page);
    await updatePackage(page, { name: '', version: 'v2.1.0', strategy: 'Canary' });
    await next(page);
    const create = page.getByRole('button', { name: 'Create Deployment' });
    const count = page.getByLabel('type the number of devices: 4');
    await count.waitFor();
    expect(await create.isDisabled()).to.equal(true);
    await count.fill('40');
    await count.press('Enter');
    const { deployments } = await ops.api<DeploymentList>('GET', '/deployments');
    expect(deployments).to.deep.equal([]);
    await count.fill('4');
    await create.click();
    await page.waitForURL(new RegExp(`${PAGE_ROOT}/[0-9a-f-]{36}$`));
  });

  it('G42 a staged upgrade of one device type starts with one click', async () => {
    await ops.addDevices(10, { firmwareVersion: 'v2.0.0' });
    const { deployment_id: id } = await createDeployment(ops, { rollout_strategy: 'canary' });
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('10 devices upgraded').waitFor();
    expect(await dialog.getByLabel('type the number of devices').count()).to.equal(0);
    await dialog.locator('[data-confirm]:not([disabled])').click();
    await hasStatus(page, 'In progress');
  });

  it('G40 suggests expanding once the canary has finished, and warns that it is early before', async () => {
    const devices = await ops.addDevices(10);
    const { deployment_id: id } = await createDeployment(ops, {
      rollout_strategy: 'canary',
      rollout_percentage: 20,
    });
    await ops.api('POST', `/deployments/${id}/start`);
    const canary = await offered(devices, id, 2);
    await complete(canary[0]!, id);
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await page.getByText('The canary is running: 0 devices updating, 1 waiting.').waitFor();
    const expand = page.getByRole('button', { name: 'Expand', exact: true });
    const isPrimary = async () =>
      ((await expand.getAttribute('class')) ?? '').includes('button--primary');
    expect(await isPrimary()).to.equal(false);
    await expand.click();
    await page.getByText('This is early: 1 canary device has not finished yet.').waitFor();
    await page.getByRole('button', { name: 'Keep as is' }).click();
    await complete(canary[1]!, id);
    await page.getByText('The canary has finished: 2 updated.').waitFor();
    expect(await isPrimary()).to.equal(true);
    expect(await act(page, 'Expand')).not.to.include('early');
  });
});

describe('page: the wizard', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let page: Page;

  before(async function () {
    ops = await OpsCenter.open(this);
    await ops.addDevices(3, { deviceType: 'raspberry_pi' });
  });
  beforeEach(async () => {
    page = await ops.signIn();
    await page.getByRole('link', { name: 'New Deployment' }).click();
  });
  after(() => ops?.close());

  const step = (name: string) => page.getByRole('button', { name: new RegExp(`${name} \\(`) });
  const current = (name: string) =>
    page.getByRole('group', { name: new RegExp(`of 4: ${name}$`) }).waitFor();

  it('G44 accepts a line of sha256sum, and rejects a URL with a password', async () => {
    const entries = { name: 'Pasted', version: 'v2.1.0', strategy: 'Canary' } as const;
    await basicInfo(page, entries);
    await next(page);
    await next(page);
    const digits = '5e'.repeat(32);
    await updatePackage(page, {
      ...entries,
      packageUrl: 'https://user:secret@cdn.example.com/v2.1.0.tar.gz',
      checksum: `${digits}  v2.1.0.tar.gz`,
    });
    await next(page);
    await page.getByText('The address must not contain a user name or password.').waitFor();
    expect(await page.getByLabel('SHA256 Checksum').inputValue()).to.equal(digits);
    await page.getByLabel('Update Package URL').fill('https://cdn.example.com/v2.1.0.tar.gz');
    await next(page);
    await current('Review and Create');
    await page.getByText(digits, { exact: true }).waitFor();
  });

  it('G44 marks filters that no device matches, and never ticks them off', async () => {
    await basicInfo(page, { name: 'Nobody', version: 'v2.1.0', strategy: 'Canary' });
    await next(page);
    await page.getByLabel('Device Type').fill('toaster');
    await page.getByTestId('matching').getByText('0').waitFor();
    await next(page);
    await step('Target Devices')
      .and(page.getByRole('button', { name: /needs attention/ }))
      .waitFor();
    await page.getByRole('button', { name: 'Back', exact: true }).click();
    await page.getByLabel('Device Type').fill('raspberry_pi');
    await page.getByTestId('matching').getByText('3').waitFor();
    await next(page);
    await step('Target Devices')
      .and(page.getByRole('button', { name: /\(done\)/ }))
      .waitFor();
  });

  it('G44 requires a filter for a manual deployment', async () => {
    await basicInfo(page, { name: 'By hand', version: 'v2.1.0', strategy: 'Manual' });
    await next(page);
    await next(page);
    await page.getByText('A manual deployment needs at least one filter').waitFor();
    await page.getByLabel('Device Type').fill('raspberry_pi');
    await next(page);
    await current('Update Package');
  });

  it("G44 follows the browser's Back and Forward buttons from step to step", async () => {
    await basicInfo(page, { name: 'To and fro', version: 'v2.1.0', strategy: 'Canary' });
    await next(page);
    await current('Target Devices');
    await page.getByLabel('Device Type').fill('raspberry_pi');
    await next(page);
    await current('Update Package');
    await page.goBack();
    await current('Target Devices');
    expect(await page.getByLabel('Device Type').inputValue()).to.equal('raspberry_pi');
    await page.goBack();
    await current('Basic Info');
    expect(await page.getByLabel('Deployment Name').inputValue()).to.equal('To and fro');
    await page.goForward();
    await current('Target Devices');
    await page.reload();
    await current('Target Devices');
    await page.getByRole('button', { name: 'Back', exact: true }).click();
    await current('Basic Info');
    await page.goBack();
    await page.getByRole('link', { name: 'New Deployment' }).click();
    await current('Basic Info');
    expect(await page.getByLabel('Deployment Name').inputValue()).to.equal('To and fro');
  });

  it('G44 does not follow a URL to a step beyond the entries', async () => {
    await page.goto(`${ops.url}${PAGE_ROOT}/new?step=review`);
    await current('Basic Info');
  });
});
