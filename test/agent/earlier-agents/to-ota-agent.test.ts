/** docs/earlier-agents.md, its files and commands: devices go from an earlier agent to ota-agent. */
import { expect } from 'chai';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AgentStatus } from '../../../agent/device/cli/status.ts';
import { makePackage, packageOf, type Package } from '../../support/agent/package-builder.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';
import { ADMIN_TOKEN } from '../../support/rollout-host.ts';
import { ROOT } from '../../support/ota-program.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { EarlierFleet, type EarlierDevice } from './support/earlier-fleet.ts';
import { ServiceManager } from './support/service-manager.ts';

const VERSION = 'v3.0.0';
const PACKAGE = 'to-ota-agent-v3.0.0.tar.gz';

describe('an ordinary deployment that takes a device from an earlier agent to ota-agent', function () {
  this.timeout(90_000);
  let fleet: EarlierFleet;
  let page: DocPage;
  let folder: string;
  let device: EarlierDevice;
  let services: ServiceManager;
  let type: string;

  before(async () => {
    fleet = await EarlierFleet.open();
    page = await DocPage.read('docs/earlier-agents.md');
  });
  after(() => fleet?.close());

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'to-ota-agent-'));
    type = fleet.newType();
    device = await fleet.device(type, async (root) => {
      services = await ServiceManager.install(root);
      return { PATH: `${services.programs}:${process.env.PATH ?? ''}` };
    });
    await services.hasStarted('edge-agent', device.pid);
  });
  afterEach(async () => {
    await services?.endAll('ota-agent');
    await rm(folder, { recursive: true, force: true });
  });

  /** Follows the page; the fleet's own paths stand for those of a real device. */
  async function makeThePackage(change: (agentFolder: string) => Promise<void>): Promise<Package> {
    const content = path.join(folder, 'to-ota-agent');
    await mkdir(content, { recursive: true });
    for (const part of ['agent', 'dist/agent']) {
      const names = { agent: ['ota-agent.service'] }[part] ?? ['ota-agent.cjs', 'ota-launcher.cjs'];
      await mkdir(path.join(folder, part), { recursive: true });
      for (const name of names) {
        await cp(path.join(ROOT, part, name), path.join(folder, part, name));
      }
    }
    await change(path.join(folder, 'dist/agent'));
    await inShell(page.block('bash', 'ExecStart'), { cwd: folder });
    const config = JSON.parse(page.block('json', 'state_dir')) as Record<string, object>;
    await writeFile(
      path.join(content, 'config.json'),
      JSON.stringify({
        ...config,
        server: { url: fleet.host.url },
        state_dir: device.at('var/lib/ota-agent'),
        root: device.root,
        snapshot_paths: ['opt/app'],
        poll: { interval_seconds: 0.2, min_seconds: 0.1, max_seconds: 0.3 },
        download: { allow_insecure_loopback: true },
      }),
    );
    await writeFile(path.join(content, 'install.sh'), page.block('sh', 'adopt'));
    const unit = path.join(content, 'ota-agent.service');
    await writeFile(
      unit,
      fillIn(await readFile(unit, 'utf8'), {
        '/usr/bin/node': process.execPath,
        '/usr/local/lib/ota-agent/ota-launcher.cjs': `${device.at('usr/local/lib/ota-agent/ota-launcher.cjs')} --state-dir ${device.at('var/lib/ota-agent')}`,
        '/etc/ota-agent': device.at('etc/ota-agent'),
      }),
    );
    const printed = await inShell(page.block('bash', 'tar -czf'), { cwd: folder });
    const made = packageOf(await readFile(path.join(folder, PACKAGE)));
    expect(printed).to.equal(`${made.sha256}  ${PACKAGE}\n`);
    return made;
  }

  /** By the page's request, to this device alone. */
  async function deploy(made: Package): Promise<string> {
    const { update_package_url, checksum } = fleet.serve(made);
    const request = fillIn(page.block('bash', '"To ota-agent"'), {
      'http://localhost:8084': fleet.host.url,
      'https://cdn.example.com/to-ota-agent-v3.0.0.tar.gz': update_package_url,
      YOUR_TOKEN: ADMIN_TOKEN,
      CHECKSUM: checksum,
      '"device_filters": {': `"device_filters": { "device_type": "${type}",`,
    });
    const created = JSON.parse(await inShell(request, { cwd: folder })) as {
      deployment_id: string;
    };
    await fleet.act(created.deployment_id, 'start');
    return created.deployment_id;
  }

  async function status(): Promise<AgentStatus> {
    const program = device.at('usr/local/lib/ota-agent/ota-agent.cjs');
    const config = device.at('etc/ota-agent/config.json');
    return JSON.parse(
      await inShell(`"${process.execPath}" "${program}" status --json --config "${config}"`, {
        cwd: folder,
      }),
    ) as AgentStatus;
  }

  async function takesTheNext(version: string): Promise<void> {
    await mkdir(device.at('opt/app'), { recursive: true });
    const next = makePackage('cp version.txt "$OTA_ROOT/opt/app/version.txt"', {
      'version.txt': `${version}\n`,
    });
    const id = await fleet.roll(type, next, { target_version: version });
    await fleet.until(id, 'is completed', (now) => now.status === 'completed');
    expect(await fleet.target(id, device)).to.include({ current_version: version });
    expect(await readFile(device.at('opt/app/version.txt'), 'utf8')).to.equal(`${version}\n`);
  }

  it('the new agent is running, the earlier one is gone, and the next updates come by it', async () => {
    const registration = JSON.parse(
      await readFile(device.at('etc/edge-agent/device.json'), 'utf8'),
    ) as { device_id: string; auth_token: string };
    const made = await makeThePackage(() => Promise.resolve());
    const id = await deploy(made);
    await fleet.until(id, 'is completed', (now) => now.status === 'completed');
    await waitFor(() => !device.isRunning, {
      timeout: 20_000,
      describe: 'the earlier agent is stopped',
    });
    expect(await services.isEnabled('ota-agent')).to.equal(true);
    expect(await services.isEnabled('edge-agent')).to.equal(false);
    expect(await fleet.target(id, device)).to.include({
      status: 'completed',
      attempt: 1,
      current_version: VERSION,
      error_message: null,
    });
    // As the device it was, with what it had.
    const { device_id, installed_version, running } = await status();
    expect({ device_id, installed_version }).to.deep.equal({
      device_id: registration.device_id,
      installed_version: VERSION,
    });
    expect(running).to.be.a('number');
    const credentials = device.at('var/lib/ota-agent/credentials.json');
    expect((await stat(credentials)).mode & 0o777).to.equal(0o600);

    await takesTheNext('v3.1.0');
    expect((await status()).rollback_version).to.equal(VERSION);

    // The next one of the kind, on a device that has ota-agent: it replaces itself, and works on.
    const again = await deploy(
      await makeThePackage((agentFolder) =>
        appendFile(path.join(agentFolder, 'ota-agent.cjs'), '\n// the next one'),
      ),
    );
    await fleet.until(again, 'is completed', (now) => now.status === 'completed');
    const atWork = await readFile(`/proc/${(await status()).running}/cmdline`, 'utf8');
    expect(atWork).to.match(/versions\/[0-9a-f]{64}\//);
  });

  async function staysWithTheEarlierAgent(made: Package, reason: string): Promise<void> {
    const id = await deploy(made);
    await fleet.until(id, 'has failed', (now) => now.status === 'failed');
    expect((await fleet.target(id, device)).error_message).to.include(reason);
    expect(device.isRunning).to.equal(true);
    await waitFor(async () => !(await services.isActive('ota-agent')), {
      describe: 'the new agent is not there',
    });
    expect(await services.isEnabled('ota-agent')).to.equal(false);
    expect(await services.isEnabled('edge-agent')).to.equal(true);
    const simple = makePackage('cp version.txt "$OTA_ROOT/"', { 'version.txt': 'v3.0.1\n' });
    const next = await fleet.roll(type, simple, { target_version: 'v3.0.1' });
    await fleet.until(next, 'is completed', (now) => now.status === 'completed');
    expect(await device.version()).to.equal('v3.0.1\n');
  }

  it('F51 the new agent cannot be started: the earlier one works on', async () => {
    const made = await makeThePackage((agentFolder) =>
      writeFile(path.join(agentFolder, 'ota-agent.cjs'), '#!/bin/false\n'),
    );
    await staysWithTheEarlierAgent(made, 'Installation failed');
  });

  it('F51 the new agent does not come to work: it is stopped, the earlier one works on', async () => {
    await makeThePackage((agentFolder) =>
      writeFile(path.join(agentFolder, 'ota-launcher.cjs'), 'setInterval(() => {}, 1_000);\n'),
    );
    // Nobody wants to wait a minute for it here.
    const hasty = page.block('sh', 'adopt').replace('--wait 60', '--wait 2');
    await writeFile(path.join(folder, 'to-ota-agent/install.sh'), hasty);
    await inShell(page.block('bash', 'tar -czf'), { cwd: folder });
    const made = packageOf(await readFile(path.join(folder, PACKAGE)));
    await staysWithTheEarlierAgent(made, 'not running');
  });

  it('F62 the server does not accept what the earlier agent is registered with: nothing is started', async () => {
    const made = await makeThePackage(() => Promise.resolve());
    const registration = device.at('etc/edge-agent/device.json');
    const kept = JSON.parse(await readFile(registration, 'utf8')) as object;
    await writeFile(registration, JSON.stringify({ ...kept, auth_token: 'of-another-life' }));
    await staysWithTheEarlierAgent(made, '401');
  });
});
