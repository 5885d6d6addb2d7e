import { expect } from 'chai';
import { DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const INSTALL = `set -e
echo "installing $OTA_TARGET_VERSION over $OTA_PREVIOUS_VERSION"
cp version.txt "$OTA_ROOT/app/version.txt"
rm "$OTA_ROOT/app/bin/tool"
mkdir "$OTA_ROOT/app/new"
echo fresh > "$OTA_ROOT/app/new/file"
`;

describe('agent: an update from offer to end', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    expect(server.faults).to.deep.equal([]);
  });

  it('installs, checks and reports in the order of the contract', async () => {
    const offer = server.offerPackage(makePackage(INSTALL, { 'version.txt': 'new\n' }));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
    expect(server.lastReport).to.include({ installed_version: '2.0.0', attempt: 1 });
    expect(await device.read('app/version.txt')).to.equal('new\n');
    expect(await device.currentVersion()).to.equal('2.0.0');
    expect(server.log(offer.deployment_id)).to.include('installing 2.0.0 over 1.0.0');
  });

  it('rolls back to the old files, modes and times when install.sh fails', async () => {
    const before = await device.picture();
    const offer = server.offerPackage(
      makePackage(`${INSTALL}echo broken >&2; exit 3`, { 'version.txt': 'new\n' }),
    );
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture()).to.equal(before);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'rolled_back']);
    expect(server.lastReport.installed_version).to.equal('1.0.0');
    expect(server.lastReport.error_message).to.include('exited with code 3').and.include('broken');
    expect(server.log(offer.deployment_id)).to.include('broken');
  });
});
