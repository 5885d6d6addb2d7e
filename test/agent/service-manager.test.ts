import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';

import { expect } from 'chai';

import { agentProgram } from '../support/agent/agent-program.ts';
import { DeviceServer, answerWith, on } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

describe('agent: under a service manager', () => {
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

  /** What `install.sh` prints. */
  async function printed(script: string): Promise<string[]> {
    server.offerPackage(makePackage(`{ ${script}; } > "$OTA_ROOT/app/printed"`));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    return (await device.read('app/printed')).trimEnd().split('\n');
  }

  it('G36 scripts find the user as a login would set it', async () => {
    // The sandbox starts agents with PATH and nothing else, as systemd does.
    const { username, homedir, shell } = userInfo();
    expect(
      await printed('printf "%s\\n" "$USER" "$LOGNAME" "$HOME"; env | grep ^SHELL='),
    ).to.deep.equal([username, username, homedir, `SHELL=${shell}`]);
  });

  it('G36 scripts may open as many files as usual, and raise that', async () => {
    device.prefix = ['sh', '-c', 'ulimit -S -n 1024; ulimit -H -n 4096; exec "$@"', 'sh'];
    expect(
      await printed('ulimit -S -n; ulimit -H -n; ulimit -S -n 2048; ulimit -S -n'),
    ).to.deep.equal(['1024', '4096', '2048']);
  });

  it('G36 a health check may open as many files as usual', async () => {
    await device.configure({
      health: { checks: [{ type: 'command', command: 'test "$(ulimit -S -n)" = 1024' }] },
    });
    await printed('true');
  });

  /** The log as it gets to a file that is, or is not, what systemd calls the journal. */
  async function logged(args: string[], isTheJournal: boolean): Promise<string[]> {
    const path = device.state('../journal');
    const file = await open(path, 'w');
    try {
      const { dev, ino } = fstatSync(file.fd, { bigint: true });
      const child = spawn(
        process.execPath,
        [await agentProgram(), ...args, '--config', device.configPath],
        {
          stdio: ['ignore', 'ignore', file.fd],
          env: {
            PATH: process.env.PATH,
            JOURNAL_STREAM: `${dev}:${isTheJournal ? ino : ino + 1n}`,
          },
        },
      );
      await once(child, 'exit');
      return (await readFile(path, 'utf8')).trimEnd().split('\n');
    } finally {
      await file.close();
      await rm(path);
    }
  }

  it('G36 lines for the journal of systemd begin with their priority', async () => {
    server.intercept = on('/check-update', answerWith(503));
    const lines = await logged(['once'], true);
    expect(lines.find((line) => line.includes('agent started'))).to.match(/^<6>\{/);
    expect(lines.find((line) => line.includes('no_answer'))).to.match(/^<4>\{/);
  });

  it('G36 lines for anybody else do not', async () => {
    for (const line of await logged(['once'], false)) expect(line).to.match(/^\{/);
  });

  it('G36 an unexpected fault is one line, and its stack another at debug', async () => {
    await rm(device.state('journal.json'), { force: true });
    await device.write('../state/journal.json/in-the-way', '');
    const lines = (await device.once()).stderr.trimEnd().split('\n');
    for (const line of lines) expect(() => JSON.parse(line) as unknown, line).not.to.throw();
    const entries = lines.map(
      (line) => JSON.parse(line) as { level: number; msg: string; err?: { stack: string } },
    );
    const fault = entries.find(({ level }) => level === 50);
    expect(fault?.msg).to.match(/^unexpected fault: EISDIR/);
    expect(fault?.err).to.equal(undefined);
    expect(entries.find(({ level }) => level === 20)?.err?.stack).to.include('EISDIR');
  });

  it('G36 a redirect in place of an answer says where to, and nothing secret', async () => {
    const location = 'https://portal.example/login?session=secret';
    server.intercept = on('/check-update', answerWith(302, { location }));
    const { stderr } = await device.once();
    expect(stderr).to.include('a redirect to https://portal.example/login,');
    expect(stderr).not.to.include('secret');
  });

  it('G36 a redirect of a download says where to, and nothing secret', async () => {
    server.servePackage = (request, response) => {
      if (request.url?.includes('mirror')) return false;
      response.writeHead(302, { location: '/packages/mirror.tar.gz?signature=secret' });
      response.end();
      return true;
    };
    server.offerPackage(makePackage('true'));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stderr).to.include(`redirected to ${server.url}/packages/mirror.tar.gz`);
    expect(exit.stderr).not.to.include('secret');
  });

  it('G36 the unit leaves every way open by which parts are flashed', async () => {
    const unit = await readFile(new URL('../../agent/ota-agent.service', import.meta.url), 'utf8');
    expect(unit).not.to.match(/^RestrictAddressFamilies=/m);
  });
});
