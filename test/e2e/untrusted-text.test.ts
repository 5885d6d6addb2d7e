import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';

/** Sets a mark and adds an element when it is taken for markup or script. */
const HOSTILE = `"><img src=x onerror="window.owned=1"><script>window.owned=1</script><b class="hostile">`;
/** As long as the column of the host is. */
const HOSTILE_TYPE = `type "><img src=x onerror="window.owned=1">`;

describe('page: untrusted text', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  after(() => ops?.close());

  async function expectOnlyText(page: Page): Promise<void> {
    expect(await page.evaluate('window.owned')).to.equal(undefined);
    expect(await page.locator('.hostile, img[src="x"]').count()).to.equal(0);
  }

  it('F71 is shown as text: names, release notes, errors, logs, versions', async () => {
    const name = `device ${HOSTILE}`;
    const [device] = await ops.addDevices(1, {
      namePrefix: name,
      deviceType: HOSTILE_TYPE,
      firmwareVersion: `<i class="hostile">`,
    });
    if (!device) throw new Error('no device');
    const { deployment_id: id } = await createDeployment(ops, {
      deployment_name: `deployment ${HOSTILE}`,
      release_notes: `notes ${HOSTILE}`,
      update_package_url: 'https://cdn.example.com/%3Cimg%20src=x%3E/v2.tar.gz',
    });
    await ops.api('POST', `/deployments/${id}/start`);
    await offered([device], id, 1);
    await device.report(id, 'downloading', 'installing');
    await device.sendLog(id, { attempt: 1, chunk: `log ${HOSTILE}`, offset: 0 });
    await device.report(id, { status: 'failed', error_message: `error ${HOSTILE}` });

    const page = await ops.signIn();
    await page.getByText(`deployment ${HOSTILE}`).waitFor();
    await page.getByText(HOSTILE_TYPE).first().waitFor();
    await expectOnlyText(page);

    await page.goto(`${ops.url}${PAGE_ROOT}/${id}`);
    await page.getByText(`error ${HOSTILE}`).first().waitFor();
    await page.locator('[data-row="0"] button').click();
    await page.getByText(`log ${HOSTILE}`).waitFor();
    await expectOnlyText(page);

    await page.goto(`${ops.url}${PAGE_ROOT}/${id}?tab=timeline`);
    await page.getByText(`error ${HOSTILE}`).first().waitFor();
    await expectOnlyText(page);

    await page.goto(`${ops.url}${PAGE_ROOT}/${id}?tab=settings`);
    await page.getByText(`notes ${HOSTILE}`).waitFor();
    await expectOnlyText(page);

    await page.goto(`${ops.url}${PAGE_ROOT}/new`);
    await page.getByRole('radio', { name: /^Manual/ }).check();
    await page.getByLabel('Deployment Name').fill(`draft ${HOSTILE}`);
    await page.getByLabel('Target Version').fill('<i>');
    await page.getByRole('button', { name: 'Next', exact: true }).click();
    await page.getByRole('radio', { name: 'Pick by hand' }).check();
    await page.getByText(name).first().waitFor();
    await expectOnlyText(page);
  });
});
