import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { waitFor } from '../../dev/wait-for.ts';
import type { RunningLauncher } from '../support/agent/launched-device.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import {
  type AgentSources,
  STANDS,
  SelfUpdateScenario,
  agentSources,
  sha256,
} from '../support/agent/self-update-scenario.ts';

describe('agent: its own update', () => {
  let scenario: SelfUpdateScenario;
  let sources: AgentSources;

  before(async () => {
    sources = await agentSources();
  });
  beforeEach(async () => {
    scenario = await SelfUpdateScenario.create();
  });
  afterEach(() => scenario.remove());

  it('is completed only when the server has answered the new agent', async () => {
    const { device, server } = scenario;
    scenario.offer(sources.good);
    let pollsAtReport = 0;
    server.intercept = (request) => {
      if (request.url?.includes('/status')) pollsAtReport = server.polls.length;
      return false;
    };
    const launcher = await device.launch();
    await scenario.untilEnded();
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
    // One poll brought the update; the new agent's own is the second, and comes before the end.
    expect(pollsAtReport).to.be.at.least(2);
    expect(await device.agentAtWork()).to.equal(sha256(sources.good));
    expect(await device.sandbox.read('app/version.txt')).to.equal('new\n');
    const line = `the new agent ${sha256(sources.good).slice(0, 12)} works`;
    await server.until(() => server.log(scenario.deployment(1)).includes(line));
    const { launcher: shown } = await device.sandbox.status();
    expect(shown).to.include({ current: sha256(sources.good), trial: null });
    await stop(launcher);
  });

  it('stays across restarts of the device, and the next update replaces it', async () => {
    const { device, server } = scenario;
    scenario.offer(sources.good);
    const first = await device.launch();
    await scenario.untilEnded();
    device.cutPower(first);
    const next = `${sources.good} but one`;
    scenario.offer(next);
    const second = await device.launch();
    await server.until(() => scenario.ended?.deployment_id === scenario.deployment(2));
    expect(await scenario.whereItStands()).to.equal(STANDS.completed);
    expect(await device.agentAtWork()).to.equal(sha256(next));
    await stop(second);
    await scenario.agentStarts(await device.launch());
    expect(await device.agentAtWork()).to.equal(sha256(next));
    expect(await readdir(device.sandbox.state('agent/versions'))).to.deep.equal([sha256(next)]);
  });

  const broken: Record<string, (shipped: string) => string> = {
    'is cut off in the middle': (shipped) => shipped.slice(0, shipped.length / 2),
    'is empty': () => '',
    'crashes again and again': (shipped) => `setImmediate(() => process.abort());\n${shipped}`,
  };
  for (const [what, sourceOf] of Object.entries(broken)) {
    it(`F51 the new agent ${what}: the old one is back, and tells why`, async () => {
      const source = sourceOf(sources.shipped);
      scenario.offer(source);
      const launcher = await scenario.device.launch({ trialBoots: 2 });
      expect(await reasonToGoBack()).to.match(
        /^The new agent did not stay up: it was started 2 times/,
      );
      await expectOldAgent(launcher, source);
    });
  }

  it('F51 what the new agent said last is in the report', async () => {
    scenario.offer(`throw new Error('wrong board');\n${sources.shipped}`);
    await scenario.device.launch({ trialBoots: 1 });
    expect(await reasonToGoBack())
      .to.include('exited with code 1')
      .and.include('Error: wrong board');
  });

  it('F51 the new agent is no program for this machine: the old one is back', async () => {
    scenario.offer('\x7fELF of another processor', 'ota-agent');
    await scenario.device.launch({ trialBoots: 1 });
    expect(await reasonToGoBack()).to.include('did not stay up');
  });

  it('F51 the new agent does nothing at all and ignores SIGTERM: the old one is back', async () => {
    scenario.offer(
      `process.on('SIGTERM', () => undefined);\nsetInterval(() => undefined, 60_000);`,
    );
    await scenario.device.launch({ trialSeconds: 1 });
    expect(await reasonToGoBack()).to.include('did not reach the server within 1 seconds');
  });

  it('F52 the new agent starts but cannot reach the server: the old one is back, and tells why', async () => {
    scenario.offer(sources.deaf);
    const launcher = await scenario.device.launch({ trialSeconds: 2 });
    expect(await reasonToGoBack())
      .to.match(/^The new agent did not reach the server within 2 seconds/)
      .and.include('404');
    await expectOldAgent(launcher, sources.deaf);
  });

  it('F52 the new agent is not confirmed by an answer that makes no sense', async () => {
    const { device, server } = scenario;
    scenario.offer(sources.good);
    let asked = 0;
    server.intercept = (request, response) => {
      const onTrial = server.statuses.includes('verifying');
      if (!onTrial || !request.url?.includes('check-update')) return false;
      asked++;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(asked % 2 ? '{"update_available": "perhaps"}' : '<html>Sign in here</html>');
      return true;
    };
    await device.launch();
    await server.until(() => asked > 3);
    expect(scenario.ended).to.equal(undefined);
    expect((await device.sandbox.status()).launcher?.trial).to.equal(sha256(sources.good));
    server.intercept = null;
    await scenario.untilEnded();
    expect(await scenario.whereItStands()).to.equal(STANDS.completed);
  });

  it('F51 a refused agent may come again with another deployment, and is tried again', async () => {
    for (const id of [scenario.deployment(1), scenario.deployment(2)]) {
      scenario.offer('');
      const launcher = await scenario.device.launch({ trialBoots: 1 });
      await scenario.server.until(() => scenario.ended?.deployment_id === id);
      expect(await scenario.whereItStands()).to.equal(STANDS.rolled_back);
      await stop(launcher);
    }
  });

  it('an update whose health check fails leaves the agent alone', async () => {
    const { device } = scenario;
    await device.sandbox.configure({
      health: { checks: [{ type: 'command', command: 'exit 1', retries: 0 }] },
    });
    scenario.offer(sources.good);
    await device.launch();
    expect(await reasonToGoBack()).to.include('Health check failed');
    expect(await readdir(device.sandbox.state('agent'))).to.not.include('next');
  });

  it('an update that brings something else than an agent is rolled back', async () => {
    const script = 'cp version.txt "$OTA_ROOT/app/"; touch "$OTA_AGENT_FOLDER/readme"';
    scenario.offer(sources.good, 'ota-agent.cjs', script);
    await scenario.device.launch();
    expect(await reasonToGoBack()).to.include('install.sh may put one file into OTA_AGENT_FOLDER');
  });

  it('without a launcher install.sh is told of no folder, and the agent stays', async () => {
    const { device, server } = scenario;
    scenario.offerPackage(makePackage('echo "folder: ${OTA_AGENT_FOLDER-none}"'));
    expect((await device.sandbox.once()).code).to.equal(0);
    expect(server.log(scenario.deployment(1))).to.include('folder: none');
  });

  it('SIGTERM to the launcher ends the agent, too, and a running install.sh is finished first', async () => {
    const { device } = scenario;
    scenario.offerPackage(
      makePackage('touch "$OTA_ROOT/begun"; sleep 1; cp version.txt "$OTA_ROOT/app/version.txt"', {
        'version.txt': 'new\n',
      }),
    );
    const launcher = await device.launch();
    await waitFor(() => device.sandbox.read('begun').then(() => true), {
      describe: 'install.sh runs',
    });
    const agent = await device.agentProcess();
    await stop(launcher);
    expect(await device.sandbox.read('app/version.txt')).to.equal('new\n');
    expect(isAlive(agent)).to.equal(false);
  });

  it('SIGTERM during a trial does not count against the new agent', async () => {
    const { device } = scenario;
    scenario.offer(sources.deaf);
    for (let round = 0; round < 3; round++) {
      const launcher = await device.launch({ trialBoots: 2 });
      await scenario.says(launcher, 'does not answer yet');
      await stop(launcher);
    }
    expect(scenario.ended).to.equal(undefined);
    expect((await device.sandbox.status()).launcher?.rejected).to.equal(null);
  });

  it('F41 of two launchers started at once one works and the other says why it does not', async () => {
    const { device, server } = scenario;
    const launchers = await Promise.all([device.launch(), device.launch()]);
    const loser = await Promise.race(
      launchers.map((one) => one.exit.then((exit) => ({ one, exit }))),
    );
    expect(loser.exit.code).to.equal(4);
    expect(loser.exit.stderr).to.include('another launcher');
    await server.until(() => server.polls.length > 0);
    for (const winner of launchers.filter((one) => one !== loser.one)) await stop(winner);
  });

  it('an agent whose launcher was killed ends by itself', async () => {
    const launcher = await scenario.device.launch();
    await scenario.agentStarts(launcher);
    launcher.kill('SIGKILL');
    const ended = (): Promise<boolean> =>
      scenario.device.agentProcess().then(
        () => false,
        () => true,
      );
    await waitFor(ended, { describe: 'the agent ends' });
  });

  /** Waits for the end of the update; the device is on the old version and agent then. */
  async function reasonToGoBack(): Promise<string | null | undefined> {
    const { error_message, installed_version } = await scenario.untilEnded();
    expect(await scenario.whereItStands()).to.equal(STANDS.rolled_back);
    expect(installed_version).to.equal('1.0.0');
    return error_message;
  }

  /** It works on, and shows what became of the new one. */
  async function expectOldAgent(launcher: RunningLauncher, refused: string): Promise<void> {
    const { device, server } = scenario;
    const polls = server.polls.length;
    await server.until(() => server.polls.length > polls);
    const status = await device.sandbox.status();
    expect(status.launcher?.rejected?.version).to.equal(sha256(refused));
    expect(status.last_attempt?.status).to.equal('rolled_back');
    await stop(launcher);
  }
});

async function stop(launcher: RunningLauncher): Promise<void> {
  launcher.kill('SIGTERM');
  expect((await launcher.exit).code).to.equal(0);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
