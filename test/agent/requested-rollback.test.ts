import { expect } from 'chai';
import { DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const GOOD = makePackage('echo new > "$OTA_ROOT/app/version.txt"');

describe('agent: a rollback requested by the server', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let before: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    before = await device.picture();
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    expect(server.faults).to.deep.equal([]);
  });

  const update = async (): Promise<string> => {
    const offer = server.offerPackage(
      makePackage('echo new > "$OTA_ROOT/app/version.txt"; echo installed'),
    );
    expect((await device.once()).code).to.equal(0);
    return offer.deployment_id;
  };

  it('rolls back to the version before and says so', async () => {
    const deployment_id = await update();
    server.rollback = { deployment_id, version: '1.0.0', attempt: 1 };
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture()).to.equal(before);
    expect(await device.currentVersion()).to.equal('1.0.0');
    expect(server.lastReport).to.include({
      status: 'rolled_back',
      installed_version: '1.0.0',
      attempt: 1,
    });
    expect(server.log(deployment_id))
      .to.include('installed')
      .and.include('requested by the server');
  });

  it('F38 is finished when the power was cut in the middle', async () => {
    const deployment_id = await update();
    server.rollback = { deployment_id, version: '1.0.0', attempt: 1 };
    const faults = { FAULT_KILL_STEP: 'verify_restored', FAULT_KILL_WHEN: 'before' };
    expect((await device.once(faults)).signal).to.equal('SIGKILL');
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(before);
    expect(server.lastReport.status).to.equal('rolled_back');
  });

  it('comes before an update', async () => {
    const deployment_id = await update();
    server.offerPackage(GOOD, { target_version: '3.0.0' });
    server.rollback = { deployment_id, version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(11);
    expect((await device.once()).code).to.equal(0);
    expect(await device.currentVersion()).to.equal('3.0.0');
  });

  it('is refused with the reason when the kept snapshot is of another version', async () => {
    const deployment_id = await update();
    const now = await device.picture();
    server.rollback = { deployment_id, version: '0.9.0', attempt: 1 };
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.status).to.equal('failed');
    expect(server.lastReport.error_message).to.include('kept on the device is of 1.0.0');
    expect(server.lastReport.installed_version).to.equal('2.0.0');
    expect(await device.picture()).to.equal(now);
  });

  it('is refused when no snapshot is kept', async () => {
    await device.configure({ keep_snapshot: false });
    const deployment_id = await update();
    server.rollback = { deployment_id, version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.error_message).to.include('no snapshot');
  });

  it('on a device that runs that version already is simply confirmed', async () => {
    server.rollback = { deployment_id: 'deployment-9', version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport).to.include({ status: 'rolled_back', installed_version: '1.0.0' });
  });

  it('says what the update did that cannot be undone', async () => {
    const offer = server.offerPackage(
      makePackage('echo "radio calibration" > "$OTA_IRREVERSIBLE"'),
    );
    expect((await device.once()).code).to.equal(0);
    expect(server.lastReport.error_message).to.equal(undefined);
    server.rollback = { deployment_id: offer.deployment_id, version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport.error_message).to.include('Could not be undone: radio calibration.');
  });

  it('does not wait for the maintenance window, but for the permission command', async () => {
    const deployment_id = await update();
    const now = await device.picture();
    const hour = (new Date().getHours() + 3) % 24;
    const time = `${String(hour).padStart(2, '0')}:00`;
    const end = `${String((hour + 1) % 24).padStart(2, '0')}:00`;
    await device.configure({
      install: {
        window: { start: time, end },
        permission_command: { command: 'echo $OTA_TARGET_VERSION > wanted; test -e idle' },
      },
    });
    server.rollback = { deployment_id, version: '1.0.0', attempt: 1 };
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(13);
    expect(await device.picture()).to.equal(now);
    expect(await device.read('wanted')).to.equal('1.0.0\n');
    await device.write('idle', '');
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(before);
  });
});
