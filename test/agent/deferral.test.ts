import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const PACKAGE = makePackage('echo new > "$OTA_ROOT/app/version.txt"');

/** `hh:00` of the hour that is so many hours away. */
const hour = (offset: number): string =>
  `${String((new Date().getHours() + 24 + offset) % 24).padStart(2, '0')}:00`;

describe('agent: deferral', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let before: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    before = await device.picture();
    server.offerPackage(PACKAGE);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const askFirst = (command: string, timeout_seconds = 20): Promise<void> =>
    device.configure({ install: { permission_command: { command, timeout_seconds } } });

  it('the permission command says not now; the update is done when it agrees', async () => {
    await askFirst('echo pumping; test -e idle');
    const exit = await device.once();
    expect(exit.code).to.equal(13);
    expect(exit.stderr).to.include('pumping');
    expect(await device.picture()).to.equal(before);
    await device.write('idle', '');
    expect((await device.once()).code).to.equal(0);
    expect(server.downloads).to.have.length(1);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
  });

  it('while it waits, the server keeps hearing of it, and nothing is unpacked', async () => {
    await askFirst('echo >> asked; test -e idle');
    const agent = await device.start(['run']);
    await server.until(() => server.reports.length >= 4);
    expect(server.statuses).to.deep.equal(['downloading']);
    expect(existsSync(device.state(`work/${server.offer?.deployment_id}-1/package`))).to.equal(
      false,
    );
    const { active } = await device.open();
    expect(active?.kind === 'update' && active.starts, 'waiting is no interruption').to.be.below(2);
    await device.write('idle', '');
    await server.until(() => server.reports.at(-1)?.status === 'completed');
    agent.process.kill('SIGTERM');
    await agent.exit;
    expect(server.downloads).to.have.length(1);
    expect((await device.open()).reportsWaiting).to.equal(0);
  });

  it('while it waits, the server can call it off', async () => {
    await askFirst('false');
    expect((await device.once()).code).to.equal(13);
    server.directive = 'abort';
    expect((await device.once()).code).to.equal(12);
    expect(server.statuses).to.deep.equal(['downloading', 'skipped']);
    expect(await device.picture()).to.equal(before);
  });

  it('is asked again right before the script: unpacking and saving may have taken long', async () => {
    await askFirst('n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) > n; test $n -ne 1');
    expect((await device.once()).code).to.equal(13);
    expect(await device.read('n')).to.equal('2\n');
    expect(await device.picture()).to.equal(before);
    expect((await device.once()).code).to.equal(0);
    expect(await device.read('n')).to.equal('4\n');
  });

  it('a permission command that hangs is stopped and means not now', async () => {
    await askFirst('sleep 600', 0.2);
    const exit = await device.once();
    expect(exit.code).to.equal(13);
    expect(exit.stderr).to.include('longer than 0.2 seconds');
  });

  it('nothing is installed outside the maintenance window', async () => {
    await device.configure({ install: { window: { start: hour(3), end: hour(5) } } });
    const exit = await device.once();
    expect(exit.code).to.equal(13);
    expect(exit.stderr).to.include('outside the maintenance window');
    expect(await device.picture()).to.equal(before);
    await device.configure({ install: { window: { start: hour(-1), end: hour(2) } } });
    expect((await device.once()).code).to.equal(0);
  });
});
