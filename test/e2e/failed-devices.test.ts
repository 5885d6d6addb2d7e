import { expect } from 'chai';
import type { TargetPage } from '../../backend/contract/admin-api.ts';
import { counts, hasStatus } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, createDeployment, offered } from './support/rollout.ts';

describe('page: devices that failed', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  after(() => ops?.close());

  it('G43 are found by status and batch; one is retried, the others are rolled back', async () => {
    const devices = await ops.addDevices(5);
    const { deployment_id: id } = await createDeployment(ops, {
      policy: { failure_threshold_percent: null },
    });
    await ops.api('POST', `/deployments/${id}/start`);
    const at = await offered(devices, id, 5);
    for (const device of at.slice(0, 3)) {
      await device.report(id, 'downloading', { status: 'failed', error_message: 'disk is full' });
    }
    for (const device of at.slice(3)) await complete(device, id);

    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await hasStatus(page, 'Failed');
    await page.getByRole('button', { name: /^3\s*Failed$/ }).click();
    await page.getByText('3 of 3 devices loaded').waitFor();
    expect(new URL(page.url()).search).to.equal('?status=failed');

    const [again] = at;
    if (!again) throw new Error('no device');
    await page.getByRole('button', { name: `Details of ${again.name}` }).click();
    await page.getByRole('button', { name: 'Retry', exact: true }).last().click();
    const retry = page.getByRole('dialog', { name: 'Retry 1 device?' });
    await retry.getByRole('button', { name: 'Retry 1 device' }).click();
    await retry.waitFor({ state: 'hidden' });
    await hasStatus(page, 'In progress');
    await offered([again], id, 1);
    await again.report(
      id,
      { status: 'downloading', attempt: 2 },
      { status: 'completed', attempt: 2 },
    );
    await page.keyboard.press('Escape');
    await counts(page, 'Completed', 3);

    await page.getByRole('button', { name: /^2\s*Failed$/ }).click();
    await page.getByRole('button', { name: `Details of ${again.name}` }).click();
    await page.getByText('Attempt 1: Failed').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^2\s*Failed$/ }).click();

    // Of the two that still count as failed, one runs the new version.
    const [, half] = at;
    await half?.checkUpdate('v2.1.0');
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Roll back all failed' }).click();
    const one = page.getByRole('dialog', { name: 'Roll back 1 device?' });
    await one.getByText('1 device already runs that version').waitFor();
    await one.getByRole('button', { name: 'Keep as is' }).click();
    await at[2]?.checkUpdate('v2.1.0');
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Roll back all failed' }).click();
    const question = page.getByRole('dialog', { name: 'Roll back 2 devices?' });
    await question.getByRole('button', { name: 'Roll back 2 devices' }).click();
    await page.getByText('Rollback of 2 devices requested').waitFor();
    const { devices: failed } = await ops.api<TargetPage>(
      'GET',
      `/deployments/${id}/devices?status=failed`,
    );
    expect(failed.map((target) => target.rollback_requested)).to.deep.equal(['v2.0.0', 'v2.0.0']);

    const kept = failed[0]?.device_name ?? '';
    await page.getByRole('button', { name: `Details of ${kept}` }).click();
    const drawer = page.getByRole('dialog', { name: kept });
    await drawer.getByText('Rollback to v2.0.0 requested').waitFor();
    await drawer.getByRole('button', { name: 'Cancel rollback' }).click();
    const cancellation = page.getByRole('dialog', { name: `Cancel the rollback of ${kept}?` });
    await cancellation.getByRole('button', { name: 'Cancel rollback' }).click();
    await page.getByText(`Rollback of ${kept} cancelled`).waitFor();
    await drawer.getByText('Rollback to v2.0.0 requested').waitFor({ state: 'hidden' });
  });

  it('undo a newer deployment only after an explicit confirmation', async () => {
    const [device] = await ops.addDevices(1, { namePrefix: 'superseded' });
    const ids: string[] = [];
    for (const version of ['v2.1.0', 'v2.2.0']) {
      const { deployment_id: id } = await createDeployment(ops, {
        deployment_name: `Update to ${version}`,
        target_version: version,
        device_ids: [device!.id],
      });
      await ops.api('POST', `/deployments/${id}/start`);
      await offered([device!], id, 1);
      await complete(device!, id);
      ids.push(id);
    }
    const [older] = ids;
    const page = await ops.signIn(`${PAGE_ROOT}/${older}`);
    await page.getByRole('button', { name: `Details of ${device!.name}` }).click();
    await page.getByRole('button', { name: 'Roll back', exact: true }).last().click();
    const question = page.getByRole('dialog', { name: `Roll back ${device!.name}?` });
    await question.getByRole('button', { name: 'Roll back 1 device' }).click();
    await question.getByText('would undo it').waitFor();
    expect(await question.innerText()).to.include('Update to v2.2.0');
    expect(await requested(older!)).to.equal(null);

    await question.getByRole('button', { name: 'Roll back anyway' }).click();
    await question.waitFor({ state: 'hidden' });
    expect(await requested(older!)).to.equal('v2.0.0');
  });

  async function requested(id: string): Promise<string | null | undefined> {
    const { devices } = await ops.api<TargetPage>('GET', `/deployments/${id}/devices`);
    return devices[0]?.rollback_requested;
  }
});
