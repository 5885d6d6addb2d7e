import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { DeploymentPreview, EventPage } from '../../../backend/contract/admin-api.ts';
import { makePackage, type Package } from '../../support/agent/package-builder.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';
import { ADMIN_TOKEN } from '../../support/rollout-host.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { EarlierFleet, type EarlierDevice } from './support/earlier-fleet.ts';

const NEW_VERSION = { current_version: 'v2.1.0', version_operator: '!=' } as const;

describe('devices with agents of the earlier generation', function () {
  this.timeout(60_000);
  let fleet: EarlierFleet;

  before(async () => {
    fleet = await EarlierFleet.open();
  });
  after(() => fleet?.close());

  const good = (script = ''): Package =>
    makePackage(`set -e\n${script}\ncp version.txt "$OTA_ROOT/version.txt"\n`, {
      'version.txt': 'v2.1.0\n',
    });

  /** Begins, and goes on when the file `go` is there. */
  const held = (): Package =>
    good('touch "$OTA_ROOT/begun"; until [ -e "$OTA_ROOT/go" ]; do sleep 0.05; done');

  async function installedEverywhere(devices: EarlierDevice[], id: string): Promise<void> {
    const { devices: targets } = await fleet.until(
      id,
      'is completed',
      ({ status }) => status === 'completed',
    );
    expect(targets).to.have.length(devices.length);
    for (const target of targets) {
      expect(target).to.include({ status: 'completed', current_version: 'v2.1.0', attempt: 1 });
    }
    for (const device of devices) expect(await device.version()).to.equal('v2.1.0\n');
  }

  async function hasBegun(device: EarlierDevice): Promise<void> {
    await waitFor(() => existsSync(device.at('begun')), {
      timeout: 20_000,
      describe: 'install.sh runs',
    });
  }

  describe('are updated', () => {
    it('by a manual deployment, and only the picked ones', async () => {
      const type = fleet.newType();
      const [picked, other] = (await fleet.devices(type, 2)) as [EarlierDevice, EarlierDevice];
      const id = await fleet.roll(type, good(), {
        rollout_strategy: 'manual',
        device_ids: [picked.id],
      });
      await installedEverywhere([picked], id);
      expect(await other.version()).to.equal('none');
    });

    it('by an immediate deployment', async () => {
      const type = fleet.newType();
      const devices = await fleet.devices(type, 2);
      await installedEverywhere(devices, await fleet.roll(type, good()));
    });

    it('by a canary, the share first and the rest when it is expanded', async () => {
      const type = fleet.newType();
      const devices = await fleet.devices(type, 2);
      const id = await fleet.roll(type, good(), {
        rollout_strategy: 'canary',
        rollout_percentage: 50,
      });
      const share = await fleet.until(
        id,
        'has its share',
        ({ progress }) => progress.completed > 0,
      );
      expect(share).to.include({ phase: 'awaiting_expansion' });
      const versions = await Promise.all(devices.map((device) => device.version()));
      expect(versions).to.have.members(['v2.1.0\n', 'none']);
      await fleet.act(id, 'expand');
      await installedEverywhere(devices, id);
    });

    it('by a rolling deployment, batch after batch', async () => {
      const type = fleet.newType();
      const devices = await fleet.devices(type, 3);
      const id = await fleet.roll(type, good(), { rollout_strategy: 'rolling', batch_size: 1 });
      await installedEverywhere(devices, id);
      expect((await fleet.detail(id)).batches).to.have.length(3);
    });
  });

  it('register with the version of their kernel, which is never ordered and always another', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const preview = async (version_operator: string): Promise<DeploymentPreview> => {
      const body = {
        rollout_strategy: 'immediate',
        device_filters: { device_type: type, current_version: 'v2.1.0', version_operator },
      };
      const answer = await fleet.admin('POST', '/ota/deployments/preview', body);
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      return answer.body as DeploymentPreview;
    };
    const version = 'Linux-5.15.0-x86_64';
    expect(await preview('<')).to.deep.include({
      matching_devices: 0,
      not_comparable: [{ version, count: 1 }],
    });
    expect(await preview('!=')).to.deep.include({ matching_devices: 1, not_comparable: [] });
    const filters = { device_type: type, ...NEW_VERSION };
    const id = await fleet.roll(type, good(), { device_filters: filters });
    await installedEverywhere([device], id);
    // From now on its version is known, though it never told it.
    expect(await preview('!=')).to.include({ matching_devices: 0 });
  });

  it('report what the server has no word for, everything twice, and late: nothing is harmed', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const id = await fleet.roll(type, good());
    await installedEverywhere([device], id);
    await device.until('has said all', ({ said }) =>
      said.some(({ status }, at) => status === 'success' && at > 1),
    );
    for (const status of ['downloading', 'installing', 'verifying', 'completed']) {
      expect(device.answersTo(status), status).to.deep.equal([200, 200]);
    }
    expect(device.answersTo('extracting')).to.deep.equal([400, 400]);
    expect((await fleet.target(id, device)).status).to.equal('completed');
  });

  it('take the checksum as text: it comes to them as hex digits, however it was written', async () => {
    const type = fleet.newType();
    const devices = await fleet.devices(type, 1);
    const made = good();
    for (const checksum of [`sha256:${made.sha256}`, `SHA256:${made.sha256.toUpperCase()}`]) {
      await installedEverywhere(devices, await fleet.roll(type, made, { checksum }));
    }
  });

  it('ask the admins’ route for a rollback when they failed, are refused, and come again by a retry', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const mended = good('[ -e "$OTA_ROOT/mended" ] || { echo "no room"; exit 1; }');
    const id = await fleet.roll(type, mended);
    await device.until('asked for a rollback', ({ said }) =>
      said.some((one) => one.path.endsWith('/rollback')),
    );
    const asked = device.said.filter((one) => one.path.endsWith('/rollback'));
    expect(asked.map(({ answer }) => answer)).to.deep.equal([401]);
    expect(device.answersTo('failed')).to.deep.equal([200, 200]);
    const failed = await fleet.target(id, device);
    expect(failed).to.include({ status: 'failed', attempt: 1, rollback_requested: null });
    expect(failed.error_message).to.include('no room');
    const { body } = await fleet.admin('GET', `/ota/deployments/${id}/events`);
    expect((body as EventPage).events.map(({ type: what }) => what)).to.not.include(
      'rollback_requested',
    );

    await writeFile(device.at('mended'), '');
    await fleet.act(id, 'retry');
    await fleet.until(id, 'is completed', ({ status }) => status === 'completed');
    expect(await fleet.target(id, device)).to.include({ status: 'completed', attempt: 2 });
    expect(await device.version()).to.equal('v2.1.0\n');
  });

  it('know no rollback: one asked for keeps updates away from them until it is withdrawn', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const first = await fleet.roll(type, good());
    await installedEverywhere([device], first);
    const rollback = `/ota/deployments/${first}/devices/${device.id}/rollback`;
    const asked = await fleet.admin('POST', rollback, { previous_version: 'v2.0.0' });
    expect(asked.status).to.equal(202);
    const next = await fleet.roll(type, good(), { target_version: 'v2.2.0' });
    await fleet.until(next, 'is released', (now) => now.released_devices === 1);
    const polls = device.said.length;
    await device.until('polls on', ({ said }) => said.length > polls + 3);
    expect(await fleet.target(next, device)).to.include({ status: 'pending' });

    const page = await DocPage.read('docs/earlier-agents.md');
    const withdraw = fillIn(page.block('bash', 'DELETE'), {
      'http://localhost:8084': fleet.host.url,
      DEPLOYMENT_ID: first,
      DEVICE_ID: device.id,
      YOUR_TOKEN: ADMIN_TOKEN,
    });
    await inShell(withdraw, { cwd: device.root });
    await fleet.until(next, 'is completed', ({ status }) => status === 'completed');
    const again = await fleet.admin('DELETE', rollback);
    expect(again.status).to.equal(409);
  });

  it('F69 are given up when they fall silent, and their real end counts when it comes', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const id = await fleet.roll(type, held());
    await hasBegun(device);
    await fleet.host.database.knex.raw(
      `UPDATE ota_deployment_devices SET last_report_at = last_report_at - interval '61 minutes'
       WHERE deployment_id = ?`,
      [id],
    );
    await fleet.until(id, 'has failed', ({ status }) => status === 'failed');
    const given = await fleet.target(id, device);
    expect(given.error_message).to.include('no report for 60 minutes');
    await writeFile(device.at('go'), '');
    await fleet.until(id, 'has the real end', ({ progress }) => progress.completed === 1);
    expect(device.answersTo('verifying')[0]).to.equal(409);
    expect(await fleet.target(id, device)).to.include({
      status: 'completed',
      current_version: 'v2.1.0',
      error_message: null,
    });
  });

  it('F69 are given up when they fall silent, and a retry reaches them', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const id = await fleet.roll(type, held());
    await hasBegun(device);
    await device.kill();
    await fleet.host.database.knex.raw(
      `UPDATE ota_deployment_devices SET last_report_at = last_report_at - interval '61 minutes'
       WHERE deployment_id = ?`,
      [id],
    );
    await fleet.until(id, 'has failed', ({ status }) => status === 'failed');
    await writeFile(device.at('go'), '');
    await fleet.act(id, 'retry');
    await device.start();
    await fleet.until(id, 'is completed', ({ status }) => status === 'completed');
    expect(await fleet.target(id, device)).to.include({ status: 'completed', attempt: 2 });
  });

  it('begin anew after a restart in the middle', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const id = await fleet.roll(type, held());
    await hasBegun(device);
    await device.kill();
    await writeFile(device.at('go'), '');
    await device.start();
    await installedEverywhere([device], id);
  });

  it('F68 know no abort: cancelled while they download, they finish, and what they say is recorded', async () => {
    const type = fleet.newType();
    const [device] = (await fleet.devices(type, 1)) as [EarlierDevice];
    const made = good();
    const arrived = new Promise<() => void>((resolve) => {
      fleet.intercept = (_request, response) => {
        fleet.intercept = null;
        resolve(() => response.end(made.bytes));
        return true;
      };
    });
    const id = await fleet.roll(type, made);
    const send = await arrived;
    await fleet.act(id, 'cancel');
    send();
    await fleet.until(id, 'has the real end', ({ progress }) => progress.completed === 1);
    expect((await fleet.detail(id)).status).to.equal('cancelled');
    expect(await fleet.target(id, device)).to.include({ current_version: 'v2.1.0' });
  });
});
