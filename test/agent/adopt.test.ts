import { expect } from 'chai';
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEVICE_ID, DEVICE_TOKEN, DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { type AgentExit, Sandbox } from '../support/agent/sandbox.ts';

describe('agent: adopting a device of another agent', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let registration: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    await rm(device.state(), { recursive: true });
    registration = join(device.dir, 'device.json');
    await write({ device_id: DEVICE_ID, auth_token: DEVICE_TOKEN, device_name: 'pump-7' });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const write = (content: unknown): Promise<void> =>
    writeFile(registration, JSON.stringify(content));

  const adopt = (...more: string[]): Promise<AgentExit> =>
    device.run([
      ...['adopt', registration, '--server', server.url],
      ...['--installed-version', '3.0.0', '--hardware-id', 'hardware-7', ...more],
    ]);

  it('keeps its credentials where only the owner can read them, and works with them', async () => {
    const exit = await adopt();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stdout).to.include('pump-7').and.not.include(DEVICE_TOKEN);
    expect((await stat(device.state('credentials.json'))).mode & 0o777).to.equal(0o600);
    expect((await device.once()).code).to.equal(0);
    const versions = server.polls.map((poll) => poll.current_version);
    expect(versions).to.deep.equal([null, '3.0.0']);
  });

  it('does not carry out a second time the update that brought it, and reports its end', async () => {
    server.offerPackage(makePackage('exit 1'), { target_version: '3.0.0', attempt: 2 });
    await adopt();
    expect((await device.once()).code).to.equal(0);
    expect(server.downloads).to.deep.equal([]);
    expect(server.reports).to.deep.equal([
      {
        deployment_id: 'deployment-1',
        status: 'completed',
        attempt: 2,
        installed_version: '3.0.0',
      },
    ]);
  });

  it('carries out an update to another version', async () => {
    server.offerPackage(makePackage('exit 0'), { target_version: '3.1.0' });
    await adopt();
    expect((await device.once()).code).to.equal(0);
    expect(server.statuses).to.include('installing');
    expect(await device.currentVersion()).to.equal('3.1.0');
  });

  it('changes nothing when the server refuses the credentials', async () => {
    await write({ device_id: DEVICE_ID, auth_token: 'of-another-device' });
    const exit = await adopt();
    expect(exit.code).to.equal(1);
    expect(exit.stderr).to.include('401').and.not.include('of-another-device');
    expect(await readdir(device.state()).catch(() => [])).to.deep.equal([]);
  });

  it('changes nothing when the server is away', async () => {
    const gone = await DeviceServer.start();
    const { url } = gone;
    await gone.close();
    expect((await adopt('--server', url)).code).to.equal(3);
    expect(await readdir(device.state()).catch(() => [])).to.deep.equal([]);
  });

  it('can be done again, but not for another device unless forced', async () => {
    expect((await adopt()).code).to.equal(0);
    expect((await adopt()).code).to.equal(0);
    const credentials = JSON.parse(
      await readFile(device.state('credentials.json'), 'utf8'),
    ) as object;
    await writeFile(
      device.state('credentials.json'),
      JSON.stringify({ ...credentials, device_id: 'another' }),
    );
    const refused = await adopt();
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.include('--force');
    expect((await adopt('--force')).code).to.equal(0);
  });

  it('names a file that holds no registration', async () => {
    await write({ device_id: DEVICE_ID });
    const exit = await adopt();
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('auth_token').and.include(registration);
  });

  it('leaves a device alone whose agent is running', async () => {
    await adopt();
    const agent = await device.start(['run']);
    await agent.firstLine;
    const exit = await adopt();
    expect(exit.code, exit.stderr).to.equal(4);
    agent.process.kill('SIGTERM');
    await agent.exit;
  });

  it('status waits for a running agent; its exit code says when there is none', async () => {
    await adopt();
    expect((await device.run(['status', '--wait', '0.1'])).code).to.equal(3);
    const agent = await device.start(['run']);
    expect((await device.run(['status', '--wait', '15'])).code).to.equal(0);
    agent.process.kill('SIGTERM');
    await agent.exit;
    const usage = await device.run(['status', '--wait', 'long']);
    expect(usage.code).to.equal(2);
  });
});
