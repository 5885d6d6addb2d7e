import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { AdminClient } from '../../dev/demo/admin-client.ts';
import { SandboxDevice } from '../../dev/demo/sandbox-device.ts';
import { NEW_VERSION, OLD_VERSION, servePackage } from '../../dev/demo/update-package.ts';
import { act, counts, hasStatus } from './support/detail.ts';
import { OpsCenter, PACKAGE_ROOT } from './support/ops-center.ts';
import { complete, completeAll, offered } from './support/rollout.ts';
import { createByWizard } from './support/wizard.ts';

describe('page: the common use cases', function () {
  this.timeout(120_000);
  let ops: OpsCenter;

  // Filters of a use case reach the whole organization, so each has one of its own.
  beforeEach(async function () {
    ops = await OpsCenter.open(this);
  });
  afterEach(() => ops?.close());

  it('1, urgent security patch: everything online at once', async () => {
    const online = await ops.addDevices(12);
    await ops.addDevices(5, { status: 'offline', namePrefix: 'off' });
    const page = await ops.signIn();
    const id = await createByWizard(page, {
      name: 'Urgent security patch',
      version: 'v2.0.1',
      strategy: 'Immediate',
      onlineOnly: true,
    });
    expect(await act(page, 'Start')).to.include('released to all 12 devices at once');
    await completeAll(await offered(online, id, 12), id);
    await hasStatus(page, 'Completed');
    await counts(page, 'Completed', 12);
  });

  it('2, major version upgrade: a canary of 20 %, a retry, then the rest', async () => {
    const old = await ops.addDevices(20, { firmwareVersion: 'v1.4.0' });
    await ops.addDevices(3, { firmwareVersion: 'v2.0.0', namePrefix: 'current' });
    const page = await ops.signIn();
    const id = await createByWizard(page, {
      name: 'Major version upgrade',
      version: 'v2.0.0',
      strategy: 'Canary',
      canaryPercentage: 20,
      operator: '!=',
      currentVersion: 'v2.0.0',
      onlineOnly: true,
    });
    await act(page, 'Start');
    const [unlucky, ...canary] = await offered(old, id, 4);
    if (!unlucky) throw new Error('no canary');
    await completeAll(canary, id);
    await unlucky.report(id, 'downloading', { status: 'failed', error_message: 'disk is full' });
    await page.getByText('disk is full').waitFor();

    expect(await act(page, 'Retry')).to.include('Retry 1 device?');
    await offered([unlucky], id, 1);
    await unlucky.report(
      id,
      { status: 'downloading', attempt: 2 },
      { status: 'completed', attempt: 2 },
    );
    await page.getByText('expand to the remaining 16 devices').waitFor();
    await act(page, 'Expand');
    await completeAll(await offered(old, id, 16), id);
    await hasStatus(page, 'Completed');
  });

  it('3, specific device type: rolling, batch after batch, paused and resumed', async () => {
    const jetsons = await ops.addDevices(10, { deviceType: 'nvidia_jetson' });
    await ops.addDevices(4);
    const page = await ops.signIn();
    const id = await createByWizard(page, {
      name: 'Jetson update',
      version: 'v2.1.0',
      strategy: 'Rolling',
      deviceType: 'nvidia_jetson',
      onlineOnly: true,
    });
    await act(page, 'Start');
    const first = await offered(jetsons, id, 5);
    await page.getByText('Waiting for 5 devices of batch 1').waitFor();
    expect(await act(page, 'Pause')).to.include('until you resume');
    await hasStatus(page, 'Paused');
    await page.getByText('Waiting for you to resume').waitFor();
    await act(page, 'Resume');
    await completeAll(await offered(first, id, 5), id);
    await completeAll(await offered(jetsons, id, 5), id);
    await hasStatus(page, 'Completed');
  });

  it('4, individual device: picked by hand, updated by a real agent, rolled back', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'ota-e2e-'));
    await mkdir(path.join(folder, 'package'));
    const served = await servePackage(path.join(folder, 'package'));
    await ops.addDevices(30, { namePrefix: 'other' });
    const device = new SandboxDevice({
      folder: path.join(folder, 'edge-07'),
      name: 'edge-07',
      serverUrl: ops.url,
      agentPath: path.join(PACKAGE_ROOT, 'dist/agent/ota-agent.cjs'),
      sensorBoard: 'revision-2',
    });
    try {
      await mkdir(path.join(folder, 'edge-07'));
      await device.prepare(
        new AdminClient(ops.url, { authorization: `Bearer ${ops.host.adminToken}` }),
      );
      device.start();
      const page = await ops.signIn();
      await createByWizard(page, {
        name: 'One device',
        version: NEW_VERSION,
        strategy: 'Manual',
        pick: ['edge-07'],
        packageUrl: served.url,
        checksum: served.checksum,
      });
      expect(await act(page, 'Start')).to.include('released to 1 device at once');
      await hasStatus(page, 'Completed');
      expect(await device.installedVersion()).to.equal(NEW_VERSION);

      await page.getByRole('button', { name: 'Details of edge-07' }).click();
      await page.getByText('Installation complete!').waitFor();
      await page.getByRole('button', { name: 'Roll back', exact: true }).click();
      const question = page.getByRole('dialog', { name: 'Roll back edge-07?' });
      await question.getByText('This affects 1 device.').waitFor();
      await question.getByRole('button', { name: 'Roll back 1 device' }).click();
      await counts(page, 'Rolled back', 1);
      expect(await device.installedVersion()).to.equal(OLD_VERSION);
    } finally {
      await device.stop();
      await served.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('cancels waiting devices and lets the others finish', async () => {
    const devices = await ops.addDevices(10);
    const page = await ops.signIn();
    const id = await createByWizard(page, {
      name: 'Called off',
      version: 'v2.1.0',
      strategy: 'Canary',
      canaryPercentage: 20,
    });
    await act(page, 'Start');
    const [done] = await offered(devices, id, 2);
    if (!done) throw new Error('no canary');
    await complete(done, id);
    await counts(page, 'Completed', 1);
    expect(await act(page, 'Cancel')).to.include('9 devices will be skipped');
    await hasStatus(page, 'Cancelled');
    const { progress } = await ops.api<DeploymentDetail>('GET', `/deployments/${id}`);
    expect(progress).to.include({ completed: 1, skipped: 9 });
  });
});
