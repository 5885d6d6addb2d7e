/** Runs the commands in docs/recovering.md and docs/rollouts.md on a real host with failing devices. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type {
  CreateDeploymentRequest,
  DeploymentDetail,
  DevicePage,
  RetryResponse,
  RolloutPolicy,
  TargetPage,
} from '../../../backend/contract/admin-api.ts';
import { ROLLOUT_STRATEGIES } from '../../../backend/contract/states.ts';
import { defaultPolicy } from '../../../backend/deployments/rules/rollout-policy.ts';
import { ADMIN_TOKEN, RolloutHost } from '../../support/rollout-host.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';

describe('docs/recovering.md', function () {
  this.timeout(60_000);
  let host: RolloutHost;
  let page: DocPage;
  let folder: string;

  before(async () => {
    host = await RolloutHost.start();
    page = await DocPage.read('docs/recovering.md');
    folder = await mkdtemp(path.join(tmpdir(), 'recovering-'));
  });
  after(async () => {
    await host?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs the commands of a block. Returns their parsed responses. */
  async function ops<T>(block: string, ids: Record<string, string> = {}): Promise<T[]> {
    const commands = block
      .trimEnd()
      .split('\n')
      .map((line) => `${line}; echo`);
    const script = [page.block('bash', 'ops() {'), ...commands].join('\n');
    const text = await inShell(fillIn(script, { 'http://localhost:8084': host.url, ...ids }), {
      cwd: folder,
      env: { OPS_ADMIN_TOKEN: ADMIN_TOKEN },
    });
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as T);
  }

  async function rollOut(
    count: number,
    change: Partial<CreateDeploymentRequest> = {},
  ): Promise<{ id: string; devices: SeededDevice[] }> {
    const { type, devices } = await host.devices(count);
    const body: CreateDeploymentRequest = {
      deployment_name: 'Failing',
      target_version: 'v2.1.0',
      rollout_strategy: 'immediate',
      device_filters: { device_type: type },
      update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
      checksum: 'ab'.repeat(32),
      ...change,
    };
    const [created] = await ops<{ deployment_id: string }>(
      `ops /deployments -d '${JSON.stringify(body)}'`,
    );
    const id = created?.deployment_id ?? '';
    await host.act(id, 'start');
    await host.offered(devices, id, count);
    return { id, devices };
  }

  it('shows how to inspect, retry, or cancel and roll back a deployment that paused automatically', async () => {
    const { id, devices } = await rollOut(7);
    const [one, two, three, four, five] = devices as [
      SeededDevice,
      SeededDevice,
      SeededDevice,
      SeededDevice,
      SeededDevice,
    ];
    for (const device of [one, two, three]) await host.report(device, id, 'completed');
    await host.report(four, id, 'failed', 'disk full');
    await host.report(five, id, 'rolled_back', 'Health check failed');
    const ids = { DEPLOYMENT_ID: id, DEVICE_ID: four.id };
    const [paused] = await ops<DeploymentDetail>(page.block('bash', 'DEPLOYMENT_ID\n'), ids);
    expect(paused).to.include({ status: 'paused', paused_reason: 'failure_threshold' });

    const [failed, rolledBack] = await ops<TargetPage>(page.block('bash', '?status=failed'), ids);
    expect(failed?.devices.map((target) => target.error_message)).to.deep.equal(['disk full']);
    expect(rolledBack?.devices.map((target) => target.device_id)).to.deep.equal([five.id]);
    const [logs] = await ops(page.block('bash', '/logs'), ids);
    expect(logs).to.be.an('object');

    const [retried, resumed] = await ops<object>(page.block('bash', '/resume'), ids);
    expect(retried).to.include({ retried_devices: 2 });
    expect(resumed).to.include({ status: 'in_progress' });

    const last = await ops<{ status: string }>(page.block('bash', '/rollback'), {
      ...ids,
      DEVICE_ID: one.id,
    });
    expect(last.map(({ status }) => status)).to.deep.equal(['cancelled', 'accepted']);
  });

  it('shows how to find and retry a single device', async () => {
    const { id, devices } = await rollOut(3);
    const [stuck, other] = devices as [SeededDevice, SeededDevice];
    for (const device of [stuck, other]) await host.report(device, id, 'failed', 'no answer');
    const [found] = await ops<DevicePage>(page.block('bash', '/devices?search'), {
      DEVICE_NAME: stuck.name,
    });
    expect(found?.devices.map((device) => device.device_id)).to.deep.equal([stuck.id]);
    const [retried] = await ops<RetryResponse>(page.block('bash', 'device_ids'), {
      DEPLOYMENT_ID: id,
      DEVICE_ID: stuck.id,
    });
    expect(retried?.deployment.status_breakdown).to.include({ failed: 1, pending: 2 });
  });

  it('shows how to compute a checksum', async () => {
    await writeFile(path.join(folder, 'update.tar.gz'), 'abc');
    expect(await inShell(page.block('bash', 'sha256sum'), { cwd: folder })).to.match(
      /^ba7816bf[0-9a-f]{56} {2}update.tar.gz\n$/,
    );
  });

  describe('docs/rollouts.md', () => {
    let rollouts: DocPage;

    before(async () => {
      rollouts = await DocPage.read('docs/rollouts.md');
    });

    it('has an example of a valid policy', async () => {
      const policy = JSON.parse(rollouts.block('json', 'pickup')) as RolloutPolicy;
      const { id } = await rollOut(1, { policy });
      const [detail] = await ops<DeploymentDetail>(`ops /deployments/${id}`);
      expect(detail?.policy).to.deep.equal(policy);
    });

    it('lists the defaults of the policy', () => {
      const listed = new Map(
        [...rollouts.text.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm)].map(
          ([, key = '', value = '']) => [key, value],
        ),
      );
      const { pickup_timeout_hours: rolling, ...others } = defaultPolicy('rolling');
      for (const [key, value] of Object.entries(others)) {
        expect(listed.get(key), key).to.equal(String(value));
      }
      expect(listed.get('pickup_timeout_hours')).to.equal(
        `${rolling} for rolling, \`null\` for others`,
      );
      expect(defaultPolicy('canary').pickup_timeout_hours).to.equal(null);
    });

    it('has an image of each strategy in light and dark', async () => {
      for (const strategy of ROLLOUT_STRATEGIES) {
        const file = `images/strategy-${strategy}.svg`;
        expect(rollouts.text).to.include(`](${file})`);
        const image = await readFile(new URL(`../../../docs/${file}`, import.meta.url), 'utf8');
        expect(image).to.include('prefers-color-scheme: dark').and.include('<desc');
      }
    });
  });
});
