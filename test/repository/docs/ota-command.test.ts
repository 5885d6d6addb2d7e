/** docs/ota-command.md, run from top to bottom: its commands, a real server, real agents. */
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect } from 'chai';
import { EXIT } from '../../../agent/release-cli/exit-codes.ts';
import { agentProgram } from '../../support/agent/agent-program.ts';
import { Sandbox } from '../../support/agent/sandbox.ts';
import { DocPage, inShell as shell, installProgram } from '../../support/doc-page.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { OtaFolder, ROOT } from '../../support/ota-program.ts';
import { ADMIN_TOKEN, RolloutHost } from '../../support/rollout-host.ts';

describe('docs/ota-command.md', function () {
  this.timeout(60_000);

  let page: DocPage;
  let folder: OtaFolder;

  before(async () => {
    page = await DocPage.read('docs/ota-command.md');
    folder = await OtaFolder.create();
  });
  after(() => folder?.remove());

  it('names every command and every option', async () => {
    const help = async (...args: string[]): Promise<string> =>
      (await folder.run([...args, '--help'])).stdout;
    const commandsIn = (text: string): string[] =>
      [...(text.split('Commands:')[1] ?? '').matchAll(/^ {2}(\w+)/gm)]
        .map((match) => match[1] ?? '')
        .filter((name) => name !== 'help');
    const top = commandsIn(await help());
    expect(top).to.include('pack').and.include('deploy');
    const all = [
      ...top.filter((name) => name !== 'keyring').map((name) => [name]),
      ...commandsIn(await help('keyring')).map((name) => ['keyring', name]),
    ];
    for (const command of all) {
      expect(page.text).to.include(`\`ota ${command.join(' ')}`);
      const options = [...(await help(...command)).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(
        (match) => match[1] ?? '',
      );
      for (const option of options.filter((one) => one !== '--help')) {
        expect(page.text, `${option} of ${command.join(' ')}`).to.include(`\`${option}\``);
      }
    }
  });

  it('has every exit code', () => {
    const codes = [...page.text.matchAll(/^\| (\d+) +\|/gm)].map((match) => Number(match[1]));
    expect(codes).to.deep.equal(Object.values(EXIT));
  });

  describe('its commands, in order', () => {
    let host: RolloutHost | undefined;
    let packages: Server;
    let bin: string;
    const devices: { sandbox: Sandbox; seeded: SeededDevice }[] = [];

    before(async () => {
      packages = createServer((request, response) => {
        readFile(folder.at(path.basename(request.url ?? ''))).then(
          (bytes) => response.end(bytes),
          () => response.writeHead(404).end(),
        );
      }).listen(0, '127.0.0.1');
      await once(packages, 'listening');
      bin = folder.at('bin');
      await installProgram(bin, 'ota', path.join(ROOT, 'dist', 'agent', 'release-cli', 'main.js'));
      await installProgram(bin, 'ota-agent', await agentProgram());
      const [script = ''] = page.blocks('sh');
      for (const version of ['v2.1.0', 'v2.2.0']) {
        await mkdir(folder.at(`pump-${version}`, 'app'), { recursive: true });
        await writeFile(folder.at(`pump-${version}`, 'install.sh'), script);
        await writeFile(folder.at(`pump-${version}`, 'app/version.txt'), `${version}\n`);
      }
      await writeFile(folder.at('deployment.json'), page.blocks('json')[0] ?? '');
    });

    after(async () => {
      for (const { sandbox } of devices) await sandbox.remove();
      await host?.stop();
      packages?.closeAllConnections();
      packages?.close();
    });

    const inShell = (commands: string, env: Record<string, string> = {}): Promise<string> =>
      shell(commands, { cwd: folder.path, programs: bin, env });

    /** A device that trusts the keys of the page, registered at the host. */
    async function addDevice(url: string, seeded: SeededDevice): Promise<Sandbox> {
      const keyOf = async (name: string): Promise<unknown> =>
        JSON.parse(await readFile(folder.at(`${name}.pub.json`), 'utf8'));
      const sandbox = await Sandbox.create(url, {
        signatures: { device_type: 'raspberry_pi', keys: [await keyOf('release')] },
        poll: { interval_seconds: 0.2, min_seconds: 0.1, max_seconds: 0.3, jitter_percent: 0 },
      });
      await writeFile(
        sandbox.state('credentials.json'),
        JSON.stringify({
          server_url: url,
          device_id: seeded.id,
          device_name: seeded.name,
          organization_id: seeded.organizationId,
          auth_token: seeded.token,
          heartbeat_interval: 3_600,
          config_version: 1,
          hardware_id: seeded.hardwareId,
        }),
      );
      devices.push({ sandbox, seeded });
      return sandbox;
    }

    it('take a signed package through a canary to real devices, and change the keys', async () => {
      const [keygen, pack, sign, deploy, watch, keyring, give, revoke, ...more] =
        page.blocks('bash');
      expect(more).to.deep.equal([]);
      await inShell(keygen ?? '');
      const release = JSON.parse(await readFile(folder.at('release.pub.json'), 'utf8')) as object;
      host = await RolloutHost.start({ signature_keys: [release] });
      const seeded = (await host.devices(3, 'raspberry_pi')).devices;
      for (const one of seeded) await addDevice(host.url, one);

      await inShell(pack ?? '');
      expect(await inShell(sign ?? '')).to.include('Good: pump v2.1.0');

      const running = await Promise.all(devices.map(({ sandbox }) => sandbox.start(['run'])));
      const address = `http://127.0.0.1:${(packages.address() as AddressInfo).port}`;
      const env = { OTA_SERVER: host.url, OTA_TOKEN: ADMIN_TOKEN };
      const said = await inShell((deploy ?? '').replace('https://cdn.example.com', address), env);
      expect(said)
        .to.include('expanded to 100 %')
        .and.match(/Completed: deployment (\S+)\.\n$/);
      for (const { sandbox } of devices) {
        expect(await sandbox.read('app/version.txt')).to.equal('v2.1.0\n');
      }
      const id = /deployment (\S+)\.\n$/.exec(said)?.[1] ?? '';
      const again = await inShell((watch ?? '').replace('DEPLOYMENT_ID', id), env);
      expect(again).to.include('"outcome":"completed"');
      for (const agent of running) agent.process.kill('SIGTERM');
      await Promise.all(running.map(({ exit }) => exit));

      expect(await inShell(keyring ?? '')).to.include('trusted  spare');
      const [device] = devices;
      const root = JSON.parse(await readFile(folder.at('root.pub.json'), 'utf8')) as object;
      await device?.sandbox.configure({
        signatures: { device_type: 'raspberry_pi', keys: [release], root_keys: [root] },
      });
      const config = { OTA_AGENT_CONFIG: device?.sandbox.configPath ?? '' };
      expect(await inShell(give ?? '', config)).to.include('Keyring 1 is in force');
      expect(await inShell(revoke ?? '')).to.include('Good: pump v2.2.0');
    });
  });
});
