import { expect } from 'chai';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import {
  DEVICE_ID,
  DEVICE_TOKEN,
  DeviceServer,
  REGISTRATION_TOKEN,
} from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

describe('agent: the command ota-agent', () => {
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

  const registration = (token = REGISTRATION_TOKEN): string[] => [
    ...['register', '--server', server.url, '--token', token],
    ...['--hardware-id', 'hardware-7', '--name', 'Pump 7', '--firmware-version', '1.2.0'],
  ];

  it('register keeps credentials only the owner can read', async () => {
    await rm(device.state('credentials.json'));
    const exit = await device.run(registration());
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stdout).to.include('pump-7').and.not.include(DEVICE_TOKEN);
    expect(server.registrations[0]).to.deep.include({
      hardware_id: 'hardware-7',
      registration_token: REGISTRATION_TOKEN,
      firmware_version: '1.2.0',
    });
    expect((await stat(device.state('credentials.json'))).mode & 0o777).to.equal(0o600);
    const kept = JSON.parse(await readFile(device.state('credentials.json'), 'utf8')) as object;
    expect(kept).to.include({ device_id: DEVICE_ID, auth_token: DEVICE_TOKEN });
    expect((await device.once()).code).to.equal(0);
    expect(server.polls.map((poll) => poll.current_version)).to.deep.equal(['1.2.0']);
  });

  it('register says why the server refused', async () => {
    await rm(device.state('credentials.json'));
    const exit = await device.run(registration('used-token'));
    expect(exit.code).to.equal(1);
    expect(exit.stderr).to.include('unknown or used').and.not.include('used-token');
  });

  it('register does not replace a registration unless forced', async () => {
    const exit = await device.run(registration());
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('--force');
    expect((await device.run([...registration(), '--force'])).code).to.equal(0);
  });

  it('register refuses a server that would get the token in the clear', async () => {
    const args = ['register', '--force', '--token', 'x', '--server', 'http://ops.example.com'];
    const exit = await device.run(args);
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('https');
  });

  it('a wrong command line has an exit code of its own', async () => {
    expect((await device.run(['frobnicate'])).code).to.equal(2);
    const exit = await device.run(['register', '--server', server.url]);
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('--token');
    expect((await device.run(['--help'])).code).to.equal(0);
  });

  it('run needs a registration', async () => {
    await rm(device.state('credentials.json'));
    const exit = await device.once();
    expect(exit.code).to.equal(5);
    expect(exit.stderr).to.include('ota-agent register');
  });

  it('the token is not sent to another server than the one registered at', async () => {
    await device.configure({ server: { url: 'https://other.example.com' } });
    const exit = await device.once();
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('registered at').and.include('https://other.example.com');
  });

  it('once tells by its exit code that the server is away', async () => {
    const gone = await DeviceServer.start();
    const lonely = await Sandbox.create(gone.url);
    await gone.close();
    expect((await lonely.once()).code).to.equal(3);
    await lonely.remove();
  });

  it('status shows where the device stands, to people and to machines', async () => {
    server.offerPackage(makePackage('exit 4'));
    await device.once();
    const status = await device.status();
    expect(status).to.deep.include({
      registered: true,
      server: server.url,
      device_id: DEVICE_ID,
      installed_version: '1.0.0',
      running: null,
      active: null,
      reports_waiting: 0,
    });
    expect(status.last_attempt).to.include({
      deployment_id: 'deployment-1',
      status: 'rolled_back',
    });
    const text = (await device.run(['status'])).stdout;
    expect(text).to.include('pump-7').and.include('1.0.0').and.include('exited with code 4');
    expect(text + JSON.stringify(status)).to.not.include(DEVICE_TOKEN);
  });

  it('status sees a running agent', async () => {
    const agent = await device.start(['run']);
    await server.until(() => server.polls.length > 0);
    expect((await device.status()).running).to.equal(agent.process.pid);
    agent.process.kill('SIGINT');
    expect((await agent.exit).code).to.equal(0);
    expect((await device.status()).running).to.equal(null);
  });

  it('a heartbeat is sent at the interval configured', async () => {
    await device.configure({ heartbeat: { interval_seconds: 1 } });
    const agent = await device.start(['run']);
    await server.until(() => server.heartbeats.length >= 2);
    agent.process.kill('SIGTERM');
    await agent.exit;
    expect(server.heartbeats[0]).to.include.keys(
      'status',
      'uptime',
      'services',
      'metrics',
      'ip_address',
    );
  });

  it('every fault of the configuration is named at once', async () => {
    await device.configure({
      poll: { interval_seconds: 'often' },
      snapshot_paths: [device.state('..')],
      health: { checks: [{ type: 'http', command: 'x' }] },
      surprise: true,
    });
    const exit = await device.once();
    expect(exit.code).to.equal(2);
    for (const part of ['poll.interval_seconds', 'health.checks[0].url', 'surprise']) {
      expect(exit.stderr).to.include(part);
    }
  });

  it('a state folder inside a snapshot path is refused', async () => {
    await device.configure({ snapshot_paths: [device.dir] });
    const exit = await device.once();
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('must not contain each other');
  });

  it('a configuration that is missing or no JSON is named', async () => {
    await writeFile(device.configPath, '{');
    expect((await device.once()).stderr).to.include('is not JSON');
    await rm(device.configPath);
    expect((await device.once()).stderr).to.include('OTA_AGENT_CONFIG');
  });
});
