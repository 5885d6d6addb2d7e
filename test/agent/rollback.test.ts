import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import {
  makeControlGroup,
  removeEmptyControlGroups,
} from '../../agent/device/process/control-group.ts';
import { installationMark } from '../../agent/device/process/installation-mark.ts';
import { SETFACL, SETFATTR, findProgram } from '../../dev/programs.ts';
import { parseDump } from '../../agent/device/steps/extended-attributes.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { agentProgram } from '../support/agent/agent-program.ts';
import { DeviceServer } from '../support/agent/device-server.ts';
import { canMountPrivately } from '../support/agent/mount-namespace.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const GOOD = makePackage('echo new > "$OTA_ROOT/app/version.txt"');

describe('agent: scripts, health and rollback', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let pictureBefore: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    pictureBefore = await device.picture();
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    expect(server.faults).to.deep.equal([]);
  });

  async function expectRolledBack(script: string, ...says: string[]): Promise<string> {
    const offer = server.offerPackage(makePackage(script));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture()).to.equal(pictureBefore);
    expect(await device.currentVersion()).to.equal('1.0.0');
    expect(server.statuses.at(-1)).to.equal('rolled_back');
    expect(server.lastReport.installed_version).to.equal('1.0.0');
    for (const text of says) expect(server.lastReport.error_message).to.include(text);
    return server.log(offer.deployment_id);
  }

  const spoil = 'echo half > "$OTA_ROOT/app/version.txt"; ';

  it('F42 a script that hangs and ignores SIGTERM is killed with all its children', async () => {
    await device.configure({ install: { timeout_seconds: 0.5, kill_grace_seconds: 0.1 } });
    await expectRolledBack(
      `trap '' TERM; ${spoil} (trap '' TERM; while :; do sleep 0.05; echo late > "$OTA_ROOT/app/version.txt"; done) & while :; do sleep 1; done`,
      'longer than 0.5 seconds',
    );
  });

  it('F43 a background child that left its session is ended before files are put back', async () => {
    await expectRolledBack(
      `${spoil} setsid bash -c 'while :; do sleep 0.02; echo late > "$OTA_ROOT/app/version.txt"; done' >/dev/null 2>&1 & sleep 0.1; exit 1`,
      'exited with code 1',
    );
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(processes).to.not.include(`echo late > "$OTA_ROOT`);
    expect(await device.picture()).to.equal(pictureBefore);
  });

  it('F43 a background child that also cleaned its environment is found in its control group', async function () {
    const probe = await makeControlGroup(installationMark(device.dir, 'probe'));
    await removeEmptyControlGroups(device.dir);
    if (probe === null) this.skip();
    await expectRolledBack(
      `${spoil} setsid env -i /bin/bash -c 'while :; do /bin/sleep 0.02; echo late > "'"$OTA_ROOT"'/app/version.txt"; done' >/dev/null 2>&1 & sleep 0.1; exit 1`,
      'exited with code 1',
    );
    expect(server.log('deployment-1')).to.match(/[1-9]\d* processes of the installation/);
    expect(await device.picture()).to.equal(pictureBefore);
  });

  it('F43 rolling back ends nothing of another device on the same machine', async () => {
    const neighbour = await Sandbox.create(server.url);
    try {
      const same = { deployment_id: 'deployment-1' };
      server.offerPackage(
        makePackage('sleep 30 >/dev/null 2>&1 & echo $! > "$OTA_ROOT/child"'),
        same,
      );
      expect((await neighbour.once()).code).to.equal(0);
      server.offerPackage(makePackage(`${spoil} exit 1`), same);
      expect((await device.once()).code).to.equal(11);
      process.kill(Number(await neighbour.read('child')), 'SIGKILL');
    } finally {
      await neighbour.remove();
    }
  });

  it('F43 a background child that keeps the output open does not hold a good update up', async () => {
    server.offerPackage(
      makePackage('sleep 30 & echo $! > "$OTA_ROOT/child"; echo new > "$OTA_ROOT/app/version.txt"'),
    );
    const started = Date.now();
    expect((await device.once()).code).to.equal(0);
    expect(Date.now() - started).to.be.below(15_000);
    process.kill(Number(await device.read('child')), 'SIGKILL');
  });

  it('F44 a script that exits non-zero', async () => {
    const log = await expectRolledBack(
      `${spoil} echo "no such board"; exit 7`,
      'code 7',
      'no such board',
    );
    expect(log).to.include('no such board');
  });

  it('F44 a script that dies by a signal', () =>
    expectRolledBack(`${spoil} kill -SEGV $$`, 'SIGSEGV'));

  it('F45 a script that floods its output with binary data', async () => {
    const log = await expectRolledBack(
      `${spoil} echo first line; head -c 3000000 /dev/urandom; echo; echo last line; exit 1`,
      'code 1',
    );
    expect(Buffer.byteLength(log)).to.be.within(100_000, 256 * 1024);
    expect(log).to.include('first line').and.include('last line').and.include('left out');
    // eslint-disable-next-line no-control-regex -- what colours and redraws the lines of a terminal
    expect(log).to.not.match(/[^\P{Cc}\t\n\u0007\b\r\u001b]/u);
  });

  it('F46 a script that kills the agent: the next start rolls back', async () => {
    server.offerPackage(makePackage(`${spoil} kill -9 $PPID; sleep 5`));
    expect((await device.once()).signal).to.equal('SIGKILL');
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(pictureBefore);
  });

  it('F46 a script that kills the agent and starts it anew: the new one rolls back', async () => {
    const again = `${process.execPath} ${await agentProgram()} once --config ${device.configPath}`;
    server.offerPackage(
      makePackage(`${spoil} kill -9 $PPID; setsid ${again} >/dev/null 2>&1 & sleep 60`),
    );
    expect((await device.once()).signal).to.equal('SIGKILL');
    await server.until(() => server.reports.at(-1)?.status === 'rolled_back');
    await waitFor(async () => (await device.status()).running === null, {
      timeout: 15_000,
      describe: 'the end of the agent that the script started',
    });
    expect(await device.picture()).to.equal(pictureBefore);
    expect((await device.open()).active).to.equal(null);
  });

  it('F47 a health check that flaps and then fails', async () => {
    await device.configure({
      health: {
        checks: [
          {
            type: 'command',
            command:
              'n=$(cat tick 2>/dev/null || echo 0); echo $((n+1)) > tick; [ "$(cat app/version.txt)" = old ] || [ $((n % 2)) = 0 ]',
            retries: 2,
            interval_seconds: 0.01,
          },
        ],
        passes_required: 2,
      },
    });
    await expectRolledBack('echo new > "$OTA_ROOT/app/version.txt"', 'Health check failed');
    expect(server.statuses).to.deep.equal([
      'downloading',
      'installing',
      'verifying',
      'rolled_back',
    ]);
  });

  it('a health check that recovers within its retries is good enough', async () => {
    await device.configure({
      health: {
        checks: [
          {
            type: 'command',
            command: 'n=$(cat tick 2>/dev/null || echo 0); echo $((n+1)) > tick; [ $n -ge 2 ]',
            retries: 2,
            interval_seconds: 0.01,
          },
        ],
        passes_required: 3,
      },
    });
    server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(0);
    expect((await device.read('tick')).trim()).to.equal('5');
  });

  it('F48 a health check that hangs, by its own limit and by the deadline of all', async () => {
    const hang = 'test "$(cat app/version.txt)" = old || sleep 600';
    const check = { type: 'command', command: hang, retries: 0 };
    await device.configure({ health: { checks: [{ ...check, timeout_seconds: 0.3 }] } });
    await expectRolledBack('echo new > "$OTA_ROOT/app/version.txt"', 'longer than 0.3 seconds');
    await device.configure({ health: { checks: [check], deadline_seconds: 0.3 } });
    await expectRolledBack(
      'echo new > "$OTA_ROOT/app/version.txt"',
      'not passed within 0.3 seconds',
    );
  });

  it('http and tcp checks see whether a service answers', async () => {
    let status = 200;
    const service = createServer((_request, response) => response.writeHead(status).end());
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    const { port } = service.address() as AddressInfo;
    const limits = { retries: 0, timeout_seconds: 2 };
    await device.configure({
      health: {
        checks: [
          { type: 'http', url: `http://127.0.0.1:${port}/health`, ...limits },
          { type: 'tcp', host: '127.0.0.1', port, ...limits },
        ],
      },
    });
    server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(0);
    status = 503;
    server.offerPackage(makePackage('echo newer > "$OTA_ROOT/app/version.txt"'), {
      target_version: '3.0.0',
    });
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport.error_message).to.include('answered 503').and.include('not healthy');
    expect(server.lastReport.installed_version).to.equal('2.0.0');
    service.closeAllConnections();
    service.close();
    await once(service, 'close');
    server.offerPackage(makePackage('true'), { target_version: '4.0.0' });
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport.error_message).to.include('ECONNREFUSED');
  });

  it('a systemd check asks whether the unit is active', async () => {
    const commands = `${device.dir}/commands`;
    await mkdir(commands);
    await writeFile(
      `${commands}/systemctl`,
      `#!/bin/sh\n[ "$1 $2" = "is-active pump.service" ] || exit 4\ncat ${device.root('unit')} 2>/dev/null || echo active\ntest ! -e ${device.root('unit')}\n`,
      { mode: 0o755 },
    );
    const environment = { PATH: `${commands}:${process.env.PATH}` };
    await device.configure({
      health: { checks: [{ type: 'systemd', unit: 'pump.service', retries: 0 }] },
    });
    server.offerPackage(GOOD);
    expect((await device.once(environment)).code).to.equal(0);
    server.offerPackage(makePackage('echo failed > "$OTA_ROOT/unit"'), { target_version: '3.0.0' });
    expect((await device.once(environment)).code).to.equal(11);
    expect(server.lastReport.error_message).to.include('unit pump.service').and.include('failed');
  });

  it('F49 a rollback that cannot write says so, and is finished when it can', async function () {
    const immutable = device.root('app/data/settings.json');
    try {
      execFileSync('chattr', ['+i', immutable], { stdio: 'ignore' });
      execFileSync('chattr', ['-i', immutable], { stdio: 'ignore' });
    } catch {
      if (process.env.CI === 'true') throw new Error('this test needs root and chattr');
      this.skip();
    }
    server.offerPackage(
      makePackage(
        `${spoil} echo broken > "$OTA_ROOT/app/data/settings.json"; chattr +i "$OTA_ROOT/app/data/settings.json"; exit 1`,
      ),
    );
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(10);
    expect(server.statuses.at(-1)).to.equal('failed');
    expect(server.lastReport.error_message).to.include('may be between two versions');
    expect(server.lastReport.installed_version).to.equal(undefined);
    expect(await device.read('app/version.txt'), 'what can be restored is').to.equal('old\n');
    execFileSync('chattr', ['-i', immutable]);
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(pictureBefore);
    expect(server.lastReport.status).to.equal('rolled_back');
  });

  it('F29 a script that fills the disk does not keep the device from rolling back', async function () {
    const disk = device.dir;
    await device.remove();
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch {
      await rmdir(disk);
      if (process.env.CI === 'true') throw new Error('this test needs root and mount');
      this.skip();
    }
    try {
      device = await Sandbox.create(server.url, {}, disk);
      pictureBefore = await device.picture();
      await expectRolledBack(
        `${spoil} dd if=/dev/zero of="$OTA_ROOT/app/huge" bs=64k 2>/dev/null; echo more > "$OTA_ROOT/app/more"; exit 1`,
        'code 1',
      );
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('F50 health that fails after the rollback, too, is told', async () => {
    await device.configure({
      health: { checks: [{ type: 'command', command: 'echo no power; false', retries: 0 }] },
    });
    await expectRolledBack(
      'echo new > "$OTA_ROOT/app/version.txt"',
      'Health check failed',
      'The old version is restored, but it is not healthy',
      'no power',
    );
  });

  it('links, absences, folders turned into files and modes all come back', async () => {
    await device.configure({ snapshot_paths: ['app', 'etc/app.conf', device.root('gone')] });
    await symlink('version.txt', device.root('app/current'));
    await symlink('/nowhere', device.root('app/dangling'));
    await chmod(device.root('app/bin/tool'), 0o4750);
    await device.settle();
    pictureBefore = await device.picture('app');
    await expectRolledBack(`
      cd "$OTA_ROOT"; ln -sfn /etc app/current; rm app/dangling; mkdir app/dangling
      rm -r app/bin; echo file > app/bin; rm app/version.txt; mkdir -p app/version.txt/deep
      chmod 777 app/data; touch app/extra; mkdir -p etc; echo conf > etc/app.conf; mkdir gone; touch gone/x
      chown 4711 app/data/settings.json; exit 1`);
    expect(await device.picture('etc/app.conf')).to.include('absent');
    expect(await device.picture('gone')).to.include('absent');
  });

  it('what cannot be undone is declared by the script and told by the report', async () => {
    await expectRolledBack(
      `${spoil} echo "modem firmware 4.2" >> "$OTA_IRREVERSIBLE"; printf 'boot\\033[1m fuse 3\n\n' >> "$OTA_IRREVERSIBLE"; exit 1`,
      'exited with code 1',
      'Could not be undone: modem firmware 4.2; boot fuse 3.',
    );
    await expectRolledBack(`${spoil} exit 1`);
    expect(server.lastReport.error_message).to.not.include('undone');
    await expectRolledBack(`mkfifo "$OTA_IRREVERSIBLE"; exit 1`, 'exited with code 1');
  });

  it('the command after a restore is run before health is checked', async () => {
    await device.configure({
      rollback: { after_restore_command: { command: 'echo $OTA_RESTORED_VERSION > restarted' } },
      health: { checks: [{ type: 'command', command: 'grep -q 1.0.0 restarted', retries: 0 }] },
    });
    await expectRolledBack(`${spoil} exit 1`);
    expect(server.lastReport.error_message).to.not.include('not healthy');
  });

  it('never leaves the agent token or secrets in its log', async () => {
    server.offerPackage(GOOD);
    const exit = await device.once();
    const { auth_token } = JSON.parse(await readFile(device.state('credentials.json'), 'utf8')) as {
      auth_token: string;
    };
    expect(exit.stderr).to.not.include(auth_token);
  });

  describe('where files are mounted', () => {
    const PRIVATELY = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c'];

    before(function () {
      if (!canMountPrivately()) this.skip();
    });

    for (const [what, paths] of [
      ['as a snapshot path', ['app/data/settings.json']],
      ['in a snapshot path', ['app']],
    ] as const) {
      it(`G37 a file that is mounted ${what} gets its contents back in place`, async () => {
        const mounted = device.root('../mounted.json');
        await writeFile(mounted, '{"keep":"me"}');
        await chmod(mounted, 0o640);
        await device.configure({ snapshot_paths: paths });
        const settings = device.root('app/data/settings.json');
        device.prefix = [
          ...PRIVATELY,
          `mount --bind "${mounted}" "${settings}" && exec "$@"`,
          'sh',
        ];
        await expectRolledBack(`echo spoilt > "${settings}"; chmod 600 "${settings}"; exit 1`);
        expect(await readFile(mounted, 'utf8')).to.equal('{"keep":"me"}');
        expect((await stat(mounted)).mode & 0o777).to.equal(0o640);
      });
    }

    for (const [what, script] of Object.entries({
      'over a file': 'mount --bind "$OTA_ROOT/data/precious" "$OTA_ROOT/app/version.txt"',
      'in a new folder':
        'mkdir "$OTA_ROOT/app/new"; mount --bind "$OTA_ROOT/data" "$OTA_ROOT/app/new"',
    })) {
      it(`G37 what the script mounted ${what} is not touched, named, and waited for`, async () => {
        await mkdir(device.root('data'));
        await writeFile(device.root('data/precious'), 'precious');
        device.prefix = [...PRIVATELY, 'exec "$@"', 'sh'];
        server.offerPackage(makePackage(`${spoil} ${script}; exit 1`));
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(10);
        expect(server.lastReport.error_message).to.match(/mounted over it|is a mount point/);
        expect(await readFile(device.root('data/precious'), 'utf8')).to.equal('precious');

        // With the agent's processes its mounts are gone.
        expect((await device.once()).code).to.equal(11);
        expect(await device.picture()).to.equal(pictureBefore);
        expect(await readFile(device.root('data/precious'), 'utf8')).to.equal('precious');
      });
    }
  });

  it('G38 names and attributes are read as getfattr writes them', () => {
    const text = [
      '# file: /opt/app/a\\012b\\134c',
      'user.one=0x31',
      'trusted.overlay.opaque=0x79',
      '',
      '# file: /opt/app/gr\u00c3\u00b6\u00c3\u009fe',
      'security.capability=0x01',
      '',
      '# file: /opt/app/none',
      'security.evm=0x02',
      '',
    ].join('\n');
    expect(parseDump(text)).to.deep.equal({
      '/opt/app/a\nb\\c': { 'user.one': '0x31' },
      '/opt/app/gr\u00f6\u00dfe': { 'security.capability': '0x01' },
    });
  });

  describe('where files have more than a mode', () => {
    /** cap_net_bind_service, effective and permitted: capabilities(7). */
    const CAPABILITY = '0x0100000200040000000000000000000000000000';

    beforeEach(function () {
      const missing = [SETFATTR, SETFACL].some((program) => findProgram(program) === null);
      if (missing || process.getuid?.() !== 0) return this.skip();
      on('setfattr', '-n', 'security.capability', '-v', CAPABILITY, device.root('app/bin/tool'));
      on('setfacl', '-m', 'u:4711:rw,g::r', device.root('app/version.txt'));
      on('setfacl', '-d', '-m', 'g:4711:rx', device.root('app/data'));
      on('setfattr', '-n', 'user.origin', '-v', 'factory', device.root('app/data/settings.json'));
      attributes = on('getfattr', '-R', '-d', '-m', '-', device.root('app'));
    });

    let attributes: string;
    const on = (program: string, ...args: string[]) =>
      execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

    /** A program of that name, ahead of the real one, that does this. */
    async function instead(name: string, script: string): Promise<void> {
      const folder = device.root('../programs');
      await mkdir(folder, { recursive: true });
      await writeFile(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      device.prefix = ['env', `PATH=${folder}:${process.env['PATH']}`];
    }

    const CHANGES = [
      'setfattr -x security.capability bin/tool',
      'echo other > version.txt; setfacl -b version.txt',
      'setfacl -b data; setfattr -n user.added -v x data',
      'setfattr -n user.origin -v spoilt data/settings.json',
    ].join('; ');

    async function rolledBackWith(): Promise<string> {
      pictureBefore = await device.picture();
      await expectRolledBack(`cd "$OTA_ROOT/app"; ${CHANGES}; exit 1`);
      return server.lastReport.error_message ?? '';
    }

    it('G38 capabilities, ACLs and attributes come back, and those that were added go', async () => {
      const message = await rolledBackWith();
      expect(on('getfattr', '-R', '-d', '-m', '-', device.root('app'))).to.equal(attributes);
      expect(message).not.to.match(/not restored/i);
    });

    it('G38 what cannot be set is named in the report', async () => {
      await instead(
        'setfattr',
        'case "$*" in *-h*) exit 1;; *) exec /usr/bin/setfattr "$@";; esac',
      );
      const message = await rolledBackWith();
      expect(message).to.match(/Not restored: .*security\.capability of .*app\/bin\/tool/);
      expect(message).to.match(/user\.added of .*app\/data/);
    });

    it('G38 where nothing can read them the report says so', async () => {
      await instead('getfattr', 'echo "BusyBox: unrecognized option" >&2; exit 1');
      expect(await rolledBackWith()).to.include('getfattr (package attr) is not installed');
    });
  });
});
