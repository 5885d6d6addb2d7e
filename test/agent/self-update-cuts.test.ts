import { expect } from 'chai';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { waitFor } from '../../dev/wait-for.ts';
import type { LaunchSettings } from '../support/agent/launched-device.ts';
import {
  type AgentSources,
  STANDS,
  SelfUpdateScenario,
  agentSources,
  sha256,
} from '../support/agent/self-update-scenario.ts';

/** Every so many of the launcher's writes one is tried. */
const STRIDE = 7;
const ROUNDS = 2;

describe('agent: its own update, cut off', () => {
  let scenario: SelfUpdateScenario;
  let sources: AgentSources;

  before(async () => {
    sources = await agentSources();
  });
  beforeEach(async () => {
    scenario = await SelfUpdateScenario.create();
  });
  afterEach(() => scenario.remove());

  const replace = async (): Promise<void> => {
    await scenario.remove();
    scenario = await SelfUpdateScenario.create();
  };

  const kinds: {
    kind: string;
    source: () => string;
    end: keyof typeof STANDS;
    settings: LaunchSettings;
  }[] = [
    // A start that a power cut ended counts, too.
    { kind: 'good', source: () => sources.good, end: 'completed', settings: { trialBoots: 6 } },
    { kind: 'bad', source: () => '', end: 'rolled_back', settings: { trialBoots: 1 } },
  ];
  for (const { kind, source, end, settings } of kinds) {
    it(`F51 launcher killed or power cut at its writes, ${kind} new agent: the device comes to its end`, async function () {
      this.timeout(120_000);
      const total = await countWrites(source(), settings);
      for (let at = 1; at <= total; at += STRIDE) {
        await replace();
        const { device, server } = scenario;
        scenario.offer(source());
        // In every other round launcher and agent die at once, and what was not flushed is lost.
        const powerCut = at % 2 === 0;
        const launcher = await device.launch({
          ...settings,
          faults: { FAULT_KILL_AT: String(at), FAULT_LOSE_UNFLUSHED: powerCut ? '1' : '0' },
        });
        await Promise.race([launcher.exit, server.until(() => scenario.ended !== undefined)]);
        if (powerCut) device.cutPower(launcher);
        await scenario.keepLaunchingUntilEnded(settings);
        expect(await scenario.whereItStands(), `write ${at}`).to.equal(STANDS[end]);
      }
    });

    it(`F51 power cut at any moment, ${kind} new agent: an agent can be started, and the server hears the truth`, async function () {
      this.timeout(120_000);
      for (let round = 0; round < ROUNDS; round++) {
        if (round > 0) await replace();
        scenario.offer(source());
        for (let cut = 0; cut < 2 && !scenario.ended; cut++) {
          const launcher = await scenario.device.launch(settings);
          await randomMoment();
          scenario.device.cutPower(launcher);
        }
        await scenario.keepLaunchingUntilEnded(settings);
        expect(await scenario.whereItStands()).to.equal(STANDS[end]);
      }
    });
  }

  const moments: Record<string, string> = {
    'the journal names the trial': `to.endsWith('/journal.json') && text.includes('"step":"trial"')`,
    'the new agent is asked for': `to.endsWith('/next')`,
    'the new agent is confirmed': `to.endsWith('/confirmed')`,
    'the decision for the new version': `to.endsWith('/journal.json') && text.includes('"step":"commit"')`,
  };
  for (const [moment, condition] of Object.entries(moments)) {
    it(`F37 power cut after ${moment}: finished by the new agent`, async () => {
      const { device } = scenario;
      const mark = device.sandbox.state('killed');
      await device.bring(dyingOnce(sources.shipped, condition, mark));
      scenario.offer(dyingOnce(sources.good, condition, mark));
      const launcher = await device.launch();
      await waitFor(() => readFile(mark).then(() => true), {
        describe: () => `an agent is killed:\n${launcher.stderr()}`,
      });
      device.cutPower(launcher);
      await scenario.keepLaunchingUntilEnded();
      expect(await scenario.whereItStands()).to.equal(STANDS.completed);
    });
  }

  for (const damage of ['its state', 'the program']) {
    it(`F40 ${damage} is damaged: an agent that works is started`, async () => {
      const { device } = scenario;
      scenario.offer(sources.good);
      const first = await device.launch();
      await scenario.untilEnded();
      first.kill('SIGTERM');
      await first.exit;
      const file =
        damage === 'its state'
          ? 'agent/launcher.json'
          : `agent/versions/${sha256(sources.good)}/ota-agent.cjs`;
      await writeFile(device.sandbox.state(file), '{"torn');
      await scenario.agentStarts(await device.launch());
      // A confirmed agent is known to work even when the launcher has forgotten everything.
      const expected = damage === 'its state' ? sha256(sources.good) : null;
      expect(await device.agentAtWork()).to.equal(expected);
    });
  }

  it('F40 the journal is damaged during a trial: the new agent begins nothing, the old one rolls back', async () => {
    const { device } = scenario;
    scenario.offer(sources.deaf);
    const first = await device.launch();
    await scenario.says(first, 'does not answer yet');
    device.cutPower(first);
    await writeFile(device.sandbox.state('journal.json'), '{"torn');
    const launcher = await device.launch({ trialBoots: 2 });
    await scenario.untilEnded();
    expect(await scenario.whereItStands()).to.equal(STANDS.rolled_back);
    expect(launcher.stderr()).to.include(
      'This agent is on trial, but the journal has no update that brought it',
    );
  });

  async function countWrites(source: string, settings: LaunchSettings): Promise<number> {
    const { device } = scenario;
    scenario.offer(source);
    const file = `${device.sandbox.dir}/changes`;
    const launcher = await device.launch({ ...settings, faults: { FAULT_COUNT_FILE: file } });
    await scenario.untilEnded();
    launcher.kill('SIGTERM');
    await launcher.exit;
    return (JSON.parse(await readFile(file, 'utf8')) as { changes: number }).changes;
  }

  async function randomMoment(): Promise<void> {
    const requests = Math.floor(Math.random() * 8);
    for (let seen = 0; seen < requests && !scenario.ended; seen++) {
      await once(scenario.server, 'request');
    }
  }
});

/** This agent, which is killed the first time it has written a file for which the condition holds. */
function dyingOnce(source: string, condition: string, mark: string): string {
  return `{
    const fs = require('node:fs');
    const rename = fs.promises.rename;
    fs.promises.rename = async (from, to) => {
      const text = fs.statSync(from).isFile() ? fs.readFileSync(from, 'utf8') : '';
      await rename(from, to);
      if (!(${condition}) || fs.existsSync(${JSON.stringify(mark)})) return;
      fs.writeFileSync(${JSON.stringify(mark)}, '');
      process.kill(process.pid, 'SIGKILL');
    };
  }
  ${source}`;
}
