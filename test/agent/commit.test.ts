import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { waitFor } from '../../dev/wait-for.ts';
import { DeviceServer, type Interceptor, answerWith } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { type RunningAgent, Sandbox } from '../support/agent/sandbox.ts';

/** Goes on when the test has done to the network what it wants to do. */
const AFTER_GO = makePackage(
  'while [ ! -e "$OTA_ROOT/go" ]; do sleep 0.02; done; echo new > "$OTA_ROOT/app/version.txt"',
);

const cutOff: Interceptor = (request) => {
  request.socket.destroy();
  return true;
};

describe('agent: a new version stays once the server has heard of it', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let before: string;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    before = await device.picture();
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    expect(server.faults).to.deep.equal([]);
  });

  /** An agent in the middle of `install.sh`; from then on the server behaves like that. */
  async function installThen(
    intercept: Interceptor,
    commit: { deadline_seconds: number },
    health: object = {},
  ): Promise<RunningAgent> {
    await device.configure({ commit, health });
    server.offerPackage(AFTER_GO);
    const agent = await device.start(['run']);
    await server.until(() => server.statuses.at(-1) === 'installing');
    server.intercept = intercept;
    await writeFile(device.root('go'), '');
    return agent;
  }

  async function untilHeard(status: string): Promise<void> {
    server.intercept = null;
    await server.until(() => server.reports.at(-1)?.status === status);
  }

  const untilStep = (step: string | undefined): Promise<true> =>
    waitFor(async () => (await device.open()).active?.step === step || null, {
      timeout: 15_000,
      describe: `the step ${step ?? 'after the end'}`,
    });

  it('rolls back when the new version cannot reach the server, and says so when it can', async () => {
    const agent = await installThen(cutOff, { deadline_seconds: 0.5 });
    await untilStep('verify');
    await untilStep(undefined);
    expect(await device.picture()).to.equal(before);
    expect(await device.currentVersion()).to.equal('1.0.0');
    await untilHeard('rolled_back');
    expect(server.statuses).to.deep.equal([
      'downloading',
      'installing',
      'verifying',
      'rolled_back',
    ]);
    expect(server.lastReport.error_message).to.include(
      'in 0.5 seconds it did not reach the server',
    );
    agent.process.kill('SIGTERM');
    await agent.exit;
  });

  it('decides nothing as long as the deadline runs; an outage that ends in time costs nothing', async () => {
    let refused = 0;
    const counted: Interceptor = (...call) => ++refused > 0 && cutOff(...call);
    const agent = await installThen(counted, { deadline_seconds: 60 });
    await waitFor(() => refused > 5, { timeout: 15_000, describe: 'several tries to report' });
    expect((await device.open()).active?.step).to.equal('verify');
    expect(await device.currentVersion()).to.equal('1.0.0');
    await untilHeard('completed');
    expect(await device.currentVersion()).to.equal('2.0.0');
    agent.process.kill('SIGTERM');
    await agent.exit;
  });

  for (const [what, answer] of Object.entries({
    'answers 503': answerWith(503),
    'asks for patience': answerWith(429, { 'retry-after': '3600' }),
    'does not know the device for a while': answerWith(401),
  })) {
    it(`stays when the server ${what} for the whole deadline: the device does reach it`, async () => {
      const agent = await installThen(answer, { deadline_seconds: 0.5 });
      await untilStep(undefined);
      expect(await device.currentVersion()).to.equal('2.0.0');
      agent.process.kill('SIGTERM');
      await agent.exit;
      server.intercept = null;
      expect((await device.once()).code).to.equal(0);
      expect(server.statuses).to.deep.equal([
        'downloading',
        'installing',
        'verifying',
        'completed',
      ]);
      expect(server.log('deployment-1')).to.include('the server answers');
    });
  }

  it('stays without the server where that is configured, and installs without it, too', async () => {
    await device.configure({
      commit: { require_report: false },
      reports: { wait_seconds: 0.1, retry_min_seconds: 0.02, retry_max_seconds: 0.1 },
    });
    server.offerPackage(makePackage('echo new > "$OTA_ROOT/app/version.txt"'));
    server.intercept = (request, response) =>
      (request.url ?? '').includes('/deployments/') && cutOff(request, response);
    const agent = await device.start(['run']);
    await waitFor(async () => (await device.currentVersion()) === '2.0.0', {
      timeout: 15_000,
      describe: 'the new version',
    });
    await untilHeard('completed');
    agent.process.kill('SIGTERM');
    await agent.exit;
  });

  it('F36 killed while it waits for the server, it starts over; killed too often, it rolls back', async () => {
    await installThen(cutOff, { deadline_seconds: 60 }, { max_interrupted_runs: 2 }).then(kill);
    await device.start(['run']).then(kill);
    server.intercept = null;
    server.offer = null;
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(before);
    expect(server.lastReport.error_message).to.include('interrupted 2 times');
  });

  it('SIGTERM ends the waiting at once and does not count; the next start goes on', async () => {
    const agent = await installThen(cutOff, { deadline_seconds: 60 });
    await waiting();
    agent.process.kill('SIGTERM');
    expect((await agent.exit).code).to.equal(0);
    server.intercept = null;
    expect((await device.once()).code).to.equal(0);
    expect(server.lastReport.status).to.equal('completed');
  });

  /** Healthy, and waiting for the server. */
  const waiting = (): Promise<true> =>
    waitFor(async () => (await device.open()).active?.health_runs !== 0 || null, {
      timeout: 15_000,
      describe: 'the agent waits for the server',
    });

  async function kill(agent: RunningAgent): Promise<void> {
    const runs = (await device.open()).active?.health_runs ?? 0;
    await waitFor(
      async () => {
        const { active } = await device.open();
        return active?.step === 'verify' && active.health_runs > runs;
      },
      { timeout: 15_000, describe: 'a health run that is counted' },
    );
    agent.process.kill('SIGKILL');
    await agent.exit;
  }
});
