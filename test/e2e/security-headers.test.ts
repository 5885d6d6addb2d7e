import { expect } from 'chai';
import type { Page, Response } from 'playwright-core';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';

describe('page: content security policy', function () {
  this.timeout(60_000);
  let ops: OpsCenter;

  before(async function () {
    ops = await OpsCenter.open(this);
  });
  after(() => ops?.close());

  async function visit(page: Page, id: string): Promise<void> {
    for (const path of [
      '/admin',
      '/admin/edge/devices',
      '/admin/system/health',
      PAGE_ROOT,
      `${PAGE_ROOT}/new`,
      `${PAGE_ROOT}/${id}`,
      `${PAGE_ROOT}/${id}?tab=timeline`,
      `${PAGE_ROOT}/${id}?tab=settings`,
    ]) {
      await page.goto(ops.url + path);
      await page.getByRole('heading').first().waitFor();
    }
  }

  it('is violated nowhere, and every response has the security headers', async () => {
    const [device] = await ops.addDevices(3);
    const { deployment_id: id } = await createDeployment(ops);
    await ops.api('POST', `/deployments/${id}/start`);
    await offered([device!], id, 1);
    await device!.report(id, 'completed');
    const page = await ops.signIn();
    const responses: Response[] = [];
    page.on('response', (response) => responses.push(response));
    await visit(page, id);
    expect(ops.policyViolations).to.deep.equal([]);

    const kinds = new Set(responses.map((response) => response.request().resourceType()));
    expect([...kinds]).to.include.members(['document', 'script', 'stylesheet', 'fetch']);
    for (const response of responses) {
      const headers = await response.allHeaders();
      const where = new URL(response.url()).pathname;
      expect(headers['x-content-type-options'], where).to.equal('nosniff');
      if (where.startsWith('/health')) continue;
      expect(headers['content-security-policy'], where).to.match(/default-src '(self|none)'/);
      expect(headers['content-security-policy'], where).to.include('frame-ancestors');
      expect(headers['referrer-policy'], where).to.be.oneOf(['same-origin', 'no-referrer']);
    }
  });

  it('blocks an injected script, which this test would detect', async () => {
    const page = await ops.signIn();
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'window.owned = 1';
      document.body.append(script);
      const far = document.createElement('img');
      far.src = 'https://attacker.example/steal?x';
      document.body.append(far);
    }`);
    expect(await page.evaluate('window.owned')).to.equal(undefined);
    expect(ops.policyViolations.join('\n'))
      .to.match(/script-src/)
      .and.match(/img-src/);
    ops.policyViolations.length = 0;
  });
});
