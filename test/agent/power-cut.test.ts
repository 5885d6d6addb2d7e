import { expect } from 'chai';
import { readFile, writeFile } from 'node:fs/promises';
import { makePackage } from '../support/agent/package-builder.ts';
import { PowerCutDevice, type Scenario } from '../support/agent/kills/power-cut-device.ts';
import { wrongSequence } from '../support/agent/kills/verdict.ts';

const NEW = { state: 'new', told: 'completed', faults: [] } as const;
const OLD = { state: 'old', told: 'rolled_back', faults: [] } as const;

/** Row, the step the journal is about to take or has just taken, and how it ends when cut there. */
type Cut = [
  row: string,
  step: string,
  before: typeof NEW | typeof OLD,
  after: typeof NEW | typeof OLD,
];

const CUTS: Record<Scenario, Cut[]> = {
  good: [
    ['F30', 'download', NEW, NEW],
    ['F31 F32', 'extract', NEW, NEW],
    ['F33', 'snapshot', NEW, NEW],
    // Before it, the script was not started for certain; after it, it may have been: never again.
    ['F34 F35', 'install', NEW, OLD],
    ['F35', 'verify', OLD, NEW],
    ['F36 F37', 'commit', NEW, NEW],
    ['F37 F39', 'end', NEW, NEW],
    ['F39', 'none', NEW, NEW],
  ],
  'script fails': [
    ['F38', 'restore', OLD, OLD],
    ['F38', 'verify_restored', OLD, OLD],
    ['F39', 'end', OLD, OLD],
    ['F39', 'none', OLD, OLD],
  ],
  unhealthy: [
    ['F36 F38', 'restore', OLD, OLD],
    ['F38', 'verify_restored', OLD, OLD],
    ['F39', 'end', OLD, OLD],
  ],
  'server not reached': [
    ['F36 F38', 'restore', OLD, OLD],
    ['F38', 'verify_restored', OLD, OLD],
    ['F39', 'end', OLD, OLD],
  ],
  'rollback asked for': [
    ['F38', 'restore', OLD, OLD],
    ['F38', 'verify_restored', OLD, OLD],
    ['F39', 'end', OLD, OLD],
    ['F39', 'none', OLD, OLD],
  ],
};

describe('agent: power cuts', () => {
  let device: PowerCutDevice;

  before(async () => {
    device = await PowerCutDevice.create();
  });
  after(() => device.remove());

  /** The agent runs and dies by `faults`. */
  async function cut(faults: Record<string, string>): Promise<void> {
    const { signal, stderr } = await device.once(faults);
    expect(signal, `the agent should have been killed:\n${stderr}`).to.equal('SIGKILL');
  }

  for (const [scenario, cuts] of Object.entries(CUTS) as [Scenario, Cut[]][]) {
    for (const [row, step, before, after] of cuts) {
      for (const [when, expected] of Object.entries({ before, after })) {
        it(`${row} ${scenario}: cut ${when} the journal takes the step ${step}, ends on the ${expected.state} version`, async () => {
          await device.begin(scenario);
          await cut({ FAULT_KILL_STEP: step, FAULT_KILL_WHEN: when });
          expect(await device.recover()).to.deep.equal(expected);
        });
      }
    }
  }

  it('F35 cut in the middle of install.sh while the script lives on: it is ended, old version', async () => {
    await device.begin('good');
    device.server.offerPackage(
      makePackage(
        'kill -9 $PPID; for i in $(seq 1000); do echo $i > "$OTA_ROOT/app/version.txt"; sleep 0.01; done',
      ),
    );
    await cut({});
    expect(await device.recover()).to.deep.equal(OLD);
    expect(device.server.lastReport.error_message).to.include('while install.sh was running');
  });

  it('F35 F37 what install.sh wrote is on the disk before it counts as installed', async () => {
    for (const step of ['verify', 'commit', 'end']) {
      await device.begin('good');
      await cut({ FAULT_KILL_STEP: step, FAULT_KILL_WHEN: 'after', FAULT_LOSE_UNFLUSHED: '1' });
      expect(await device.recover()).to.deep.equal(NEW);
    }
  });

  it('F35 F38 unflushed writes of a cut-off script are gone with it', async () => {
    await device.begin('good');
    await cut({ FAULT_KILL_STEP: 'verify', FAULT_KILL_WHEN: 'before', FAULT_LOSE_UNFLUSHED: '1' });
    expect(await device.recover()).to.deep.equal(OLD);
  });

  it('F36 a health check cut off again and again comes to an end: old version', async () => {
    await device.begin('good');
    await device.sandbox.configure({
      health: {
        checks: [
          { type: 'command', command: 'test "$(cat app/version.txt)" = old || kill -9 $PPID' },
        ],
        max_interrupted_runs: 2,
      },
    });
    await cut({});
    await cut({});
    expect(await device.recover()).to.deep.equal(OLD);
  });

  it('F33 unpacking that takes the agent down again and again comes to an end: untouched', async () => {
    await device.begin('good');
    await device.sandbox.configure({ install: { max_interrupted_starts: 2 } });
    await cut({ FAULT_KILL_STEP: 'snapshot', FAULT_KILL_WHEN: 'before' });
    await cut({ FAULT_KILL_STEP: 'snapshot', FAULT_KILL_WHEN: 'before' });
    const { state, told } = await device.recover();
    expect({ state, told }).to.deep.equal({ state: 'old', told: 'failed' });
    expect(device.server.lastReport.error_message).to.include(
      '2 times in a row in the step extract',
    );
  });

  it('F39 a cut while the end is reported again and again loses nothing', async () => {
    await device.begin('good');
    for (let time = 0; time < 4; time++) {
      await cut({ FAULT_KILL_STEP: time === 0 ? 'end' : 'none', FAULT_KILL_WHEN: 'before' });
    }
    expect(await device.recover()).to.deep.equal(NEW);
  });

  for (const [damage, text] of Object.entries({
    torn: '{"format":1,"sha2',
    empty: '',
    another: '{"format":1,"state":{}}',
  })) {
    it(`F40 the journal is ${damage} after a cut during install.sh: old version`, async () => {
      await device.begin('good');
      await cut({ FAULT_KILL_STEP: 'verify', FAULT_KILL_WHEN: 'before' });
      await writeFile(device.sandbox.state('journal.json'), text);
      device.server.offer = null;
      expect(await device.recover()).to.deep.equal(OLD);
      expect(await readFile(device.sandbox.state('journal.json.damaged'), 'utf8')).to.equal(text);
    });
  }

  it('F40 the journal is torn in the middle of a rollback that was asked for: it is finished', async () => {
    await device.begin('rollback asked for');
    await cut({ FAULT_KILL_STEP: 'verify_restored', FAULT_KILL_WHEN: 'before' });
    await writeFile(device.sandbox.state('journal.json'), 'torn');
    device.server.rollback = null;
    expect(await device.recover()).to.deep.equal(OLD);
  });

  it('F40 the journal is torn between updates: nothing changes, and a rollback is still possible', async () => {
    await device.begin('rollback asked for');
    const order = device.server.rollback;
    device.server.rollback = null;
    await writeFile(device.sandbox.state('journal.json'), 'torn');
    expect((await device.once()).code).to.equal(0);
    expect(await device.sandbox.read('app/version.txt')).to.equal('new\n');
    device.server.rollback = order;
    expect(await device.recover()).to.deep.equal(OLD);
  });

  it('F41 of two agents started at once one works and the other says why it does not', async () => {
    await device.begin('good');
    const { server, sandbox } = device;
    server.offer = null;
    for (let round = 0; round < 3; round++) {
      server.pollAfterSeconds = 60;
      const agents = await Promise.all([sandbox.start(['run']), sandbox.start(['run'])]);
      const loser = await Promise.race(
        agents.map(async (agent) => ({ agent, exit: await agent.exit })),
      );
      expect(loser.exit.code).to.equal(4);
      expect(loser.exit.stderr).to.include('another agent');
      const winner = agents.find((agent) => agent !== loser.agent);
      if (server.polls.length <= round) await server.until(() => server.polls.length > round);
      winner?.process.kill('SIGKILL');
      expect((await winner?.exit)?.signal).to.equal('SIGKILL');
    }
  });
});

describe('agent: what counts as a report lost', () => {
  const cases: [statuses: string, verdict: string | null][] = [
    ['downloading installing verifying completed', null],
    ['downloading installing downloading installing verifying completed', null],
    ['downloading installing rolled_back', null],
    ['rolled_back', null],
    ['completed', 'reports lost'],
    ['downloading installing completed', 'reports lost'],
    ['downloading verifying completed', 'reports lost or out of order'],
    ['downloading installing verifying downloading completed', 'reports lost or out of order'],
    ['downloading installing verifying', 'a report behind the end, or none'],
    ['downloading installing rolled_back verifying', 'a report behind the end, or none'],
  ];
  for (const [statuses, verdict] of cases) {
    it(`${statuses}: ${verdict ?? 'fine'}`, () => {
      expect(wrongSequence(statuses.split(' '))).to.equal(verdict);
    });
  }
});
