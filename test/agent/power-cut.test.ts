import { expect } from 'chai';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { DeviceServer } from './support/device-server.ts';
import { type Package, makePackage } from './support/package-builder.ts';
import { Sandbox } from './support/sandbox.ts';

/** Ends with fixed times, so that the new state is the same each time. */
const CHANGE = `set -e
cp version.txt "$OTA_ROOT/app/version.txt"
rm -f "$OTA_ROOT/app/bin/tool"
mkdir -p "$OTA_ROOT/app/new"
echo fresh > "$OTA_ROOT/app/new/file"
chmod 700 "$OTA_ROOT/app/data"
`;
const SETTLE = 'find "$OTA_ROOT/app" -exec touch -h -d @1650000000 {} +\n';
const GOOD = makePackage(CHANGE + SETTLE, { 'version.txt': 'new\n' });
const BAD = makePackage(`${CHANGE + SETTLE}exit 1`, { 'version.txt': 'new\n' });
const ENDS = ['completed', 'failed', 'rolled_back'];

interface Verdict {
  state: 'old' | 'new' | 'between';
  /** What the server was told last about the attempt. */
  told: string | undefined;
}

describe('agent: power cuts', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let oldPicture: string;
  let newPicture: string;

  before(async () => {
    const reference = await Sandbox.create('http://127.0.0.1:1');
    oldPicture = await reference.picture();
    await reference.remove();
    const good = await DeviceServer.start();
    const updated = await Sandbox.create(good.url);
    good.offerPackage(GOOD);
    expect((await updated.once()).code).to.equal(0);
    newPicture = await updated.picture();
    await updated.remove();
    await good.close();
    expect(newPicture).to.not.equal(oldPicture);
  });
  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  /** Lets the agent run, dying by `faults`, and then again until it has nothing left to do. */
  async function cutAndRecover(made: Package, faults: Record<string, string>): Promise<Verdict> {
    server.offerPackage(made);
    const first = await device.once(faults);
    expect(first.signal, `the agent should have been killed:\n${first.stderr}`).to.equal('SIGKILL');
    return recover();
  }

  async function recover(): Promise<Verdict> {
    let restarts = 0;
    do {
      expect(++restarts, 'the agent does not come to an end').to.be.below(6);
      await device.once();
    } while (server.offer || (await device.open()).active);
    expect((await device.open()).reportsWaiting, 'reports are stuck').to.equal(0);
    const picture = await device.picture();
    const state = picture === oldPicture ? 'old' : picture === newPicture ? 'new' : 'between';
    expect(await device.currentVersion()).to.equal(state === 'new' ? '2.0.0' : '1.0.0');
    const told = server.reports.filter((report) => ENDS.includes(report.status)).at(-1)?.status;
    expect(await readdir(device.state('work'))).to.deep.equal([]);
    return { state, told };
  }

  const rows = {
    accept: ['F30', 'download'],
    'download and check': ['F31 F32', 'extract'],
    extraction: ['F33', 'snapshot'],
  } as const;
  for (const [what, [row, step]] of Object.entries(rows)) {
    for (const when of ['before', 'after']) {
      it(`${row} cut ${when} the journal takes the step behind ${what}: the update is finished`, async () => {
        const faults = { FAULT_KILL_STEP: step, FAULT_KILL_WHEN: when };
        expect(await cutAndRecover(GOOD, faults)).to.deep.equal({
          state: 'new',
          told: 'completed',
        });
      });
    }
  }

  it('F34 cut before the journal knows of the snapshot: it is made again and the update finished', async () => {
    const faults = { FAULT_KILL_STEP: 'install', FAULT_KILL_WHEN: 'before' };
    expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'new', told: 'completed' });
  });

  it('F35 cut when install.sh was about to start: never started again, old version', async () => {
    const faults = { FAULT_KILL_STEP: 'install', FAULT_KILL_WHEN: 'after' };
    expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'old', told: 'rolled_back' });
  });

  it('F35 cut in the middle of install.sh while the script lives on: it is ended, old version', async () => {
    server.offerPackage(
      makePackage(
        `kill -9 $PPID\n${CHANGE}\nfor i in $(seq 1000); do echo $i > "$OTA_ROOT/app/version.txt"; sleep 0.01; done`,
        { 'version.txt': 'half\n' },
      ),
    );
    expect((await device.once()).signal).to.equal('SIGKILL');
    expect(await recover()).to.deep.equal({ state: 'old', told: 'rolled_back' });
    expect(server.lastReport.error_message).to.include('while install.sh was running');
  });

  it('F35 cut at the end of install.sh: old version', async () => {
    const faults = { FAULT_KILL_STEP: 'verify', FAULT_KILL_WHEN: 'before' };
    expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'old', told: 'rolled_back' });
  });

  it('F35 F37 what install.sh wrote is on the disk before it counts as installed', async () => {
    for (const step of ['verify', 'commit', 'end']) {
      await replaceDevice();
      const faults = {
        FAULT_KILL_STEP: step,
        FAULT_KILL_WHEN: 'after',
        FAULT_LOSE_UNFLUSHED: '1',
      };
      expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'new', told: 'completed' });
    }
  });

  it('F35 F38 unflushed writes of a cut-off script are gone with it', async () => {
    const faults = {
      FAULT_KILL_STEP: 'verify',
      FAULT_KILL_WHEN: 'before',
      FAULT_LOSE_UNFLUSHED: '1',
    };
    expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'old', told: 'rolled_back' });
  });

  for (const when of ['before', 'after']) {
    it(`F36 F37 cut ${when} the decision for the new version: it stays`, async () => {
      const faults = { FAULT_KILL_STEP: 'commit', FAULT_KILL_WHEN: when };
      expect(await cutAndRecover(GOOD, faults)).to.deep.equal({ state: 'new', told: 'completed' });
    });
    for (const step of ['restore', 'verify_restored']) {
      it(`F38 cut ${when} the step ${step}: the way back is finished`, async () => {
        const faults = { FAULT_KILL_STEP: step, FAULT_KILL_WHEN: when };
        expect(await cutAndRecover(BAD, faults)).to.deep.equal({
          state: 'old',
          told: 'rolled_back',
        });
      });
    }
    for (const step of ['end', 'none']) {
      it(`F39 cut ${when} the step ${step}: the end is reported`, async () => {
        const faults = { FAULT_KILL_STEP: step, FAULT_KILL_WHEN: when };
        expect(await cutAndRecover(GOOD, faults)).to.deep.equal({
          state: 'new',
          told: 'completed',
        });
      });
    }
  }

  it('F36 a health check cut off again and again comes to an end: old version', async () => {
    await device.configure({
      health: {
        checks: [
          { type: 'command', command: 'test "$(cat app/version.txt)" = old || kill -9 $PPID' },
        ],
        max_interrupted_runs: 2,
      },
    });
    server.offerPackage(GOOD);
    expect((await device.once()).signal).to.equal('SIGKILL');
    expect((await device.once()).signal).to.equal('SIGKILL');
    expect(await recover()).to.deep.equal({ state: 'old', told: 'rolled_back' });
  });

  for (const damage of ['torn', 'empty', 'another']) {
    it(`F40 the journal is ${damage} after a cut during install.sh: old version`, async () => {
      server.offerPackage(GOOD);
      const killed = await device.once({ FAULT_KILL_STEP: 'verify', FAULT_KILL_WHEN: 'before' });
      expect(killed.signal).to.equal('SIGKILL');
      const text = { torn: '{"format":1,"sha2', empty: '', another: '{"format":1,"state":{}}' };
      await writeFile(device.state('journal.json'), text[damage as keyof typeof text]);
      server.offer = null;
      expect(await recover()).to.deep.equal({ state: 'old', told: 'rolled_back' });
    });
  }

  it('F41 of two agents started at once one works and the other says why it does not', async () => {
    for (let round = 0; round < 3; round++) {
      server.pollAfterSeconds = 60;
      const agents = await Promise.all([device.start(['run']), device.start(['run'])]);
      const loser = await Promise.race(
        agents.map(async (agent) => ({ agent, exit: await agent.exit })),
      );
      expect(loser.exit.code).to.equal(4);
      expect(loser.exit.stderr).to.include('another agent');
      const winner = agents.find((agent) => agent !== loser.agent);
      const polls = server.polls.length;
      if (polls <= round) await server.until(() => server.polls.length > round);
      winner?.process.kill('SIGKILL');
      expect((await winner?.exit)?.signal).to.equal('SIGKILL');
    }
  });

  it('F40 the journal is torn in the middle of a rollback that was asked for: it is finished', async () => {
    const offer = server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(0);
    server.rollback = { deployment_id: offer.deployment_id, version: '1.0.0', attempt: 1 };
    const faults = { FAULT_KILL_STEP: 'verify_restored', FAULT_KILL_WHEN: 'before' };
    expect((await device.once(faults)).signal).to.equal('SIGKILL');
    await writeFile(device.state('journal.json'), 'torn');
    server.rollback = null;
    expect(await recover()).to.deep.equal({ state: 'old', told: 'rolled_back' });
  });

  it('F40 the journal is torn between updates: nothing changes, and a rollback is still possible', async () => {
    const offer = server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(0);
    await writeFile(device.state('journal.json'), 'torn');
    expect((await device.once()).code).to.equal(0);
    expect(await device.picture()).to.equal(newPicture);
    server.rollback = { deployment_id: offer.deployment_id, version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(11);
    expect(await device.picture()).to.equal(oldPicture);
  });

  const cuts = Number(process.env.OTA_POWER_CUTS ?? 20);

  it('ends on exactly the old or the new version wherever the power is cut', async function () {
    this.timeout(60_000 + cuts * 15_000);
    let kills = 0;
    const cut = async (at: number): Promise<boolean> => {
      // In every other cut the disk loses what was not flushed to it, too.
      const loses = Math.random() < 0.5 ? '1' : '0';
      const { signal } = await device.once({
        FAULT_KILL_AT: String(at),
        FAULT_LOSE_UNFLUSHED: loses,
      });
      if (signal === 'SIGKILL') kills++;
      return signal === 'SIGKILL';
    };
    const tally = await tryEverywhere(cuts, async (at) => {
      if (!(await cut(at))) return false;
      // Every third time the power fails again while the agent puts things right.
      if (kills % 3 === 0) await cut(1 + Math.floor(Math.random() * at));
      return true;
    });
    console.log(
      `      power cuts: ${kills} kills tried, devices between versions: ${tally.between}, reports lost: ${tally.untold}`,
    );
    expect(tally.findings).to.deep.equal([]);
    expect(tally.tried).to.be.above(cuts / 2);
  });

  it('F29 ends on exactly the old or the new version wherever the disk gets full', async function () {
    const places = Math.ceil(cuts / 2);
    this.timeout(60_000 + places * 15_000);
    const tally = await tryEverywhere(places, async (at) => {
      await device.once({ FAULT_NO_SPACE_FROM: String(at) });
      return true;
    });
    console.log(
      `      full disks: ${tally.tried} tried, devices between versions: ${tally.between}, reports lost: ${tally.untold}`,
    );
    expect(tally.findings).to.deep.equal([]);
  });

  /**
   * Takes a fresh device through an update, good and bad ones in turn, with a fault at one of the
   * agent's changes of the disk. The places are spread evenly and shifted at random: every run tries
   * others, and none leaves a gap.
   * @param disturb lets the agent run into the fault; false: it was over before
   */
  async function tryEverywhere(
    times: number,
    disturb: (at: number) => Promise<boolean>,
  ): Promise<{ tried: number; between: number; untold: number; findings: string[] }> {
    const totals = new Map([
      [GOOD, await countChanges(GOOD)],
      [BAD, await countChanges(BAD)],
    ]);
    const tally = { tried: 0, between: 0, untold: 0, findings: [] as string[] };
    for (let time = 0; time < times; time++) {
      const made = time % 2 === 0 ? GOOD : BAD;
      const share = (time + Math.random()) / times;
      const at = Math.max(1, Math.ceil(share * (totals.get(made) ?? 0)));
      await replaceDevice();
      server.offerPackage(made);
      if (!(await disturb(at))) continue;
      tally.tried++;
      const { state, told } = await recover();
      const truth = told === 'completed' ? 'new' : told === undefined ? 'untold' : 'old';
      if (state === 'between') tally.between++;
      else if (state !== truth) tally.untold++;
      if (state !== truth) tally.findings.push(`change ${at}: ${state}, told ${told}`);
    }
    return tally;
  }

  async function replaceDevice(): Promise<void> {
    await device.remove();
    await server.close();
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  }

  async function countChanges(made: Package): Promise<number> {
    await replaceDevice();
    server.offerPackage(made);
    const file = `${device.dir}/changes`;
    await device.once({ FAULT_COUNT_FILE: file });
    return Number(await readFile(file, 'utf8'));
  }
});
