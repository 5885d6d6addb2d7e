import { expect } from 'chai';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Program, FW_SETENV, GRUB_EDITENV, findProgram } from '../../dev/programs.ts';
import { DeviceServer } from '../support/agent/device-server.ts';
import { canMountPrivately } from '../support/agent/mount-namespace.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const MARKED = makePackage('echo new > "$OTA_ROOT/app/version.txt"', {
  'reboot-required': 'entry-2\n',
});

describe('agent: a boot loader that cannot be used', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  /** The status and the log name the problem, and a package that needs the boot loader is rejected. */
  async function expectUnusable(problem: string): Promise<void> {
    expect((await device.status()).boot.problem).to.include(problem);
    expect((await device.run(['status'])).stdout).to.include(problem);

    server.offerPackage(MARKED);
    const agent = await device.start(['run']);
    await agent.said('cannot be used, updates that need a reboot fail');
    await server.until(() => server.offer === null);
    agent.process.kill('SIGTERM');
    const { stderr } = await agent.exit;
    expect(stderr).to.include(problem);
    expect(server.lastReport.status).to.equal('failed');
    expect(server.lastReport.error_message).to.include(problem);
    expect(server.statuses).to.not.include('installing');
    expect(await device.read('app/version.txt')).to.equal('old\n');
  }

  for (const [adapter, problem] of [
    ['rauc', 'rauc is not installed (Debian: rauc)'],
    ['u-boot', 'fw_printenv is not installed (Debian: libubootenv-tool)'],
    ['grub', 'grub-editenv is not installed (Debian: grub-common)'],
  ] as const) {
    it(`${adapter}: the tool is not installed`, async () => {
      await device.configure({ boot: { adapter } });
      device.prefix = ['/usr/bin/env', 'PATH=/nowhere'];
      await expectUnusable(problem);
    });
  }

  const READ_ONLY: [adapter: string, config: (folder: string) => object, program?: Program][] = [
    ['u-boot', (folder) => ({ fw_env_config: join(folder, 'fw_env.config') }), FW_SETENV],
    ['grub', (folder) => ({ grub_environment: join(folder, 'environment') }), GRUB_EDITENV],
    ['systemd-boot', (folder) => ({ partition: folder })],
    ['raspberry-pi', (folder) => ({ partition: folder })],
  ];
  for (const [adapter, configOf, program] of READ_ONLY) {
    it(`${adapter}: its file system is mounted read-only`, async function () {
      if (!canMountPrivately() || (program && findProgram(program) === null)) this.skip();
      const folder = join(device.dir, 'boot');
      const environment = join(folder, 'environment');
      await mkdir(folder);
      await writeFile(environment, '');
      await writeFile(join(folder, 'fw_env.config'), `${environment} 0x0 0x4000\n`);
      await device.configure({ boot: { adapter, ...configOf(folder) } });
      device.prefix = [
        ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
        'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"',
        folder,
      ];
      await expectUnusable('cannot be written: EROFS');
    });
  }

  it('max_boots: 0 is an error in the configuration, which every command names', async () => {
    await device.configure({ reboot: { max_boots: 0 } });
    for (const command of ['status', 'run']) {
      const { code, stderr } = await device.run([command]);
      expect(code, command).to.equal(2);
      expect(stderr, command).to.include('"reboot.max_boots" must be');
    }
  });
});
