import { expect } from 'chai';
import { DEFAULT_SNAPSHOT_PATHS, parseConfig } from '../../agent/device/config/agent-config.ts';
import { protectionBy } from '../../agent/device/updates/protection.ts';
import { DeviceServer, REGISTRATION_TOKEN } from '../support/agent/device-server.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

describe('agent: protection without configuration', () => {
  it('depends on what is saved, what is checked, and the boot adapter', () => {
    const rows = [
      [true, true, 'none', 'files'],
      [true, true, 'grub', 'files_and_boot'],
      [true, true, 'rauc', 'slots'],
      [false, true, 'rauc', 'slots'],
      [false, true, 'u-boot', 'none'],
      [false, true, 'none', 'none'],
      [true, false, 'none', 'none'],
      [true, false, 'rauc', 'none'],
    ] as const;
    for (const [savesFiles, checksHealth, adapter, expected] of rows) {
      expect(protectionBy({ savesFiles, checksHealth, adapter }), adapter).to.equal(expected);
    }
  });

  describe('of the configuration', () => {
    const parse = (config: object) => parseConfig(JSON.stringify(config), 'test');

    it('covers the paths of the reference, below the root', () => {
      expect(parse({}).snapshot_paths).to.deep.equal(
        DEFAULT_SNAPSHOT_PATHS.map((path) => `/${path}`),
      );
      expect(parse({ root: '/mnt/device' }).snapshot_paths).to.include('/mnt/device/usr/local/bin');
      expect(parse({}).health).to.include({ system_checks: true });
      expect(parse({ snapshot_paths: [] }).snapshot_paths).to.deep.equal([]);
    });

    it('leaves out a default path that would contain the agent’s own state', () => {
      const kept = { current_version_file: '/etc/edge-agent/version' };
      expect(parse(kept).snapshot_paths).to.deep.equal(['/usr/local/bin', '/boot/firmware']);
      const state = { state_dir: '/etc/edge-agent/ota' };
      expect(parse(state).snapshot_paths).to.deep.equal(['/usr/local/bin', '/boot/firmware']);
      expect(() => parse({ ...kept, snapshot_paths: ['/etc/edge-agent'] })).to.throw(
        'current_version_file must not lie in the snapshot path',
      );
    });
  });

  describe('is told', () => {
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

    it('at the registration, with each poll, in the status and in the log', async () => {
      const register = ['register', '--force', '--server', server.url];
      await device.run([...register, '--token', REGISTRATION_TOKEN]);
      const [registration] = server.registrations as { metadata: object }[];
      expect(registration?.metadata).to.include({ protection: 'files' });
      const { stderr } = await device.once();
      expect(server.polls.at(-1)?.protection).to.equal('files');
      expect(stderr).to.include('protection files');
      expect((await device.run(['status'])).stdout).to.match(/^Protection: +files: /m);
    });

    it('as none, with a warning, when nothing is saved, or nothing is checked', async () => {
      for (const change of [
        { snapshot_paths: ['missing'] },
        { health: { system_checks: false } },
      ] as const) {
        await device.configure(change);
        const { stderr } = await device.once();
        expect(server.polls.at(-1)?.protection).to.equal('none');
        expect(stderr).to.match(/"level":40[^\n]*protection none/);
        expect((await device.status()).protection).to.equal('none');
      }
    });

    it('as files when the boot adapter cannot be used', async () => {
      const boot = { adapter: 'u-boot', fw_env_config: device.root('missing.config') };
      await device.configure({ boot });
      await device.once();
      expect(server.polls.at(-1)?.protection).to.equal('files');
    });
  });
});
