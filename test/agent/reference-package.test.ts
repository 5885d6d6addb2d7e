import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { DeviceServer } from '../support/agent/device-server.ts';
import { canMountPrivately, coverFolders } from '../support/agent/mount-namespace.ts';
import { type Package, makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';
import { ServiceStates } from '../support/agent/service-states.ts';

const INSTALLED = ['/usr/local/bin', '/boot/firmware', '/etc/edge-agent'];
const AGENT = 'usr/local/bin/edge_agent.py';

function referencePackage(script: string): Package {
  return makePackage(script, {
    'edge_agent.py': 'print("new")\n',
    'firmware/kernel.img': 'new kernel',
    'firmware/bootloader.bin': 'new bootloader',
    'config/default-config.json': '{"version":"v2.1.0"}\n',
  });
}

/** The package of the reference, with its `install.sh` to the letter: it knows no `OTA_ROOT`. */
describe('agent: the reference package, installed to absolute paths', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let made: Package & { script: string };
  let old: string;

  before(async function () {
    if (!canMountPrivately()) {
      if (process.env.CI === 'true') throw new Error('these tests need root, unshare and mount');
      console.error('      NOT TESTED: the reference package needs root, or user namespaces');
      this.skip();
    }
    const script = await readFile(
      new URL('../support/agent/reference-install.sh', import.meta.url),
      'utf8',
    );
    made = { ...referencePackage(script), script };
  });
  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    await coverFolders(device, ['usr/local/bin', 'boot', 'etc']);
    await device.write(AGENT, 'print("old")\n', 0o755);
    await device.write('boot/firmware/kernel.img', 'old kernel');
    await device.write('boot/firmware/config.txt', 'untouched');
    await device.write('etc/edge-agent/default-config.json', '{"version":"v2.0.0"}\n');
    await device.write('etc/edge-agent/local.json', '{"mine":true}\n', 0o600);
    await device.settle();
    await configure('true');
    old = await device.picture('');
    server.offerPackage(made, { target_version: 'v2.1.0' });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    expect(server.faults).to.deep.equal([]);
    for (const file of ['edge_agent.py', 'edge_agent.py.backup']) {
      expect(existsSync(`/usr/local/bin/${file}`), 'the machine itself was changed').to.equal(
        false,
      );
    }
  });

  const configure = (command: string): Promise<void> =>
    device.configure({
      root: '/',
      snapshot_paths: INSTALLED,
      health: { checks: [{ type: 'command', command, retries: 0 }] },
    });

  async function expectUpdated(): Promise<void> {
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(await device.read(AGENT)).to.equal('print("new")\n');
    expect(await device.read(`${AGENT}.backup`)).to.equal('print("old")\n');
    expect(await device.read('boot/firmware/kernel.img')).to.equal('new kernel');
    expect(await device.read('boot/firmware/bootloader.bin')).to.equal('new bootloader');
    expect(await device.read('boot/firmware/config.txt')).to.equal('untouched');
    expect(await device.read('etc/edge-agent/default-config.json')).to.include('v2.1.0');
    expect(await device.read('etc/edge-agent/local.json')).to.include('mine');
    expect(await device.currentVersion()).to.equal('v2.1.0');
  }

  async function expectRolledBack(says: string): Promise<void> {
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture('')).to.equal(old);
    expect(await device.currentVersion()).to.equal('1.0.0');
    expect(server.lastReport.status).to.equal('rolled_back');
    expect(server.lastReport.error_message).to.include(says);
  }

  it('succeeds', async () => {
    await expectUpdated();
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
    expect(server.log('deployment-1')).to.include('Installation complete!');
  });

  it('is rolled back when the new version is not healthy', async () => {
    await configure(`grep -q old /${AGENT}`);
    await expectRolledBack('Health check failed');
    expect(server.statuses.slice(-2)).to.deep.equal(['verifying', 'rolled_back']);
  });

  it('is rolled back when the script fails half way', async () => {
    await rm(device.root('boot/firmware'), { recursive: true });
    await device.settle('boot');
    old = await device.picture('');
    await expectRolledBack('install.sh exited with code 1');
  });

  it('F35 is rolled back when the power is cut at the end of the script', async () => {
    const faults = { FAULT_KILL_STEP: 'verify', FAULT_KILL_WHEN: 'before' };
    expect((await device.once(faults)).signal).to.equal('SIGKILL');
    expect(await device.read(AGENT)).to.equal('print("new")\n');
    await expectRolledBack('while install.sh was running');
  });

  describe('with an untouched configuration', function () {
    // Services are watched for ten seconds, and a check is repeated after five.
    this.timeout(120_000);
    let services: ServiceStates;

    beforeEach(async () => {
      services = await ServiceStates.install(device);
      // Only where the sandbox is and how fast it works.
      await device.configure({ root: '/', snapshot_paths: undefined, health: undefined });
    });

    it('succeeds', expectUpdated);

    it('is rolled back when it breaks a unit', async () => {
      const broken = made.script + services.failing('edge-agent.service');
      server.offerPackage(referencePackage(broken), { target_version: 'v2.1.0' });
      await expectRolledBack('unit edge-agent.service has failed');
    });

    it('is protected by files', async () => {
      await device.once();
      expect(server.polls.at(-1)?.protection).to.equal('files');
    });
  });

  it('is rolled back when the server asks for it later', async () => {
    await expectUpdated();
    server.rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
    await expectRolledBack('requested by the server');
  });
});
