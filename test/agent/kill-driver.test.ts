import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PowerCutDevice, SCENARIOS, type Scenario } from '../support/agent/power-cut-device.ts';
import { type Random, oneTo, trialRandom } from '../support/agent/random.ts';

/** So many agents are killed, in this many sandboxes side by side. */
const KILLS = Number(process.env.OTA_KILLS ?? 200);
const LANES = 4;
const KILLS_A_TRIAL = { min: 3, max: 6 };
/** Later kills come earlier in the run: most of the way is behind the device. */
const LATER = 0.6;
const NAMES = Object.keys(SCENARIOS) as Scenario[];

/** What a run without faults looks like. */
interface Course {
  /** Changes the agent makes to the disk. */
  changes: number;
  /** Milliseconds from the agent's first log line to its end. */
  duration: number;
}

interface Tally {
  kills: number;
  between: number;
  untold: number;
  findings: string[];
}

describe('agent: killed at random', () => {
  const seed = Number(process.env.OTA_KILL_SEED ?? Math.floor(Math.random() * 1_000_000));
  const devices: PowerCutDevice[] = [];
  const courses = new Map<Scenario, Course>();

  before(async function () {
    this.timeout(120_000);
    const made = Array.from({ length: LANES }, () => PowerCutDevice.create());
    devices.push(...(await Promise.all(made)));
    await inLanes(NAMES.length, async (device, index) => {
      const scenario = NAMES[index] as Scenario;
      courses.set(scenario, await measure(device, scenario));
    });
  });
  after(async () => {
    await Promise.all(devices.map((device) => device.remove()));
  });

  it(`F30–F39 ends on exactly the old or the new version, and the server is told which, in ${KILLS} kills`, async function () {
    this.timeout(60_000 + KILLS * 10_000);
    const tally: Tally = { kills: 0, between: 0, untold: 0, findings: [] };
    await inLanes(
      () => tally.kills < KILLS,
      async (device, trial) => {
        const random = trialRandom(seed, trial);
        const scenario = NAMES[trial % NAMES.length] as Scenario;
        await device.begin(scenario);
        const kills = await killAtRandom(device, scenario, random);
        tally.kills += kills.length;
        const label = `trial ${trial}, ${scenario}: ${kills.join('; ')}`;
        judge(tally, label, await device.recover());
      },
    );
    console.log(
      `      kills tried: ${tally.kills} (OTA_KILL_SEED=${seed}), ` +
        `devices between versions: ${tally.between}, reports lost: ${tally.untold}`,
    );
    expect(tally.findings).to.deep.equal([]);
  });

  it('F29 ends on exactly the old or the new version wherever the disk gets full', async function () {
    const places = Math.ceil(KILLS / 10);
    this.timeout(60_000 + places * 15_000);
    const tally: Tally = { kills: 0, between: 0, untold: 0, findings: [] };
    await inLanes(places, async (device, place) => {
      const random = trialRandom(seed, place);
      const scenario = NAMES[place % NAMES.length] as Scenario;
      // Spread evenly and shifted at random: every run tries others, and none leaves a gap.
      const share = (place + random()) / places;
      const from = Math.max(1, Math.ceil(share * courseOf(scenario).changes));
      await device.begin(scenario);
      await device.once({ FAULT_NO_SPACE_FROM: String(from) });
      judge(tally, `${scenario}, full from change ${from}`, await device.recover());
    });
    console.log(
      `      full disks tried: ${places} (OTA_KILL_SEED=${seed}), ` +
        `devices between versions: ${tally.between}, reports lost: ${tally.untold}`,
    );
    expect(tally.findings).to.deep.equal([]);
  });

  it('G28 ends on exactly the old or the new version when the disk fills up, stays full over restarts, and the agent is killed meanwhile', async function () {
    const trials = Math.ceil(KILLS / 20);
    this.timeout(60_000 + trials * 30_000);
    const tally: Tally = { kills: 0, between: 0, untold: 0, findings: [] };
    await inLanes(trials, async (device, trial) => {
      const random = trialRandom(seed + 1, trial);
      const scenario = NAMES[trial % NAMES.length] as Scenario;
      const { changes } = courseOf(scenario);
      await device.begin(scenario);
      const from = oneTo(changes, random);
      await device.once({ FAULT_NO_SPACE_FROM: String(from) });
      const kills: number[] = [];
      for (let start = 0; start < 2; start++) {
        const at = oneTo(changes * LATER, random);
        kills.push(at);
        const full = { FAULT_NO_SPACE_FROM: String(oneTo(at, random)) };
        await device.once({ ...full, FAULT_KILL_AT: String(at) });
      }
      const label = `trial ${trial}, ${scenario}, full from change ${from}, then at ${kills.join(', ')}`;
      judge(tally, label, await device.recover());
    });
    console.log(
      `      disks that stay full tried: ${trials} (OTA_KILL_SEED=${seed}), ` +
        `devices between versions: ${tally.between}, reports lost: ${tally.untold}`,
    );
    expect(tally.findings).to.deep.equal([]);
  });

  /** Several kills, each in a run that has to put right what the one before left. */
  async function killAtRandom(
    device: PowerCutDevice,
    scenario: Scenario,
    random: Random,
  ): Promise<string[]> {
    const done: string[] = [];
    const { min, max } = KILLS_A_TRIAL;
    const wanted = min - 1 + oneTo(max - min + 1, random);
    for (let time = 0; time < wanted; time++) {
      const share = time === 0 ? 1 : LATER;
      const { changes, duration } = courseOf(scenario);
      const how =
        random() < 0.7
          ? await killAtChange(device, oneTo(changes * share, random), random() < 0.5)
          : await killAtTime(device, Math.round(random() * duration * share));
      if (how === null) break;
      done.push(how);
    }
    return done;
  }

  /** @param loses the disk loses what was not flushed to it, too, as in a power cut */
  async function killAtChange(
    device: PowerCutDevice,
    at: number,
    loses: boolean,
  ): Promise<string | null> {
    const { signal } = await device.once({
      FAULT_KILL_AT: String(at),
      ...(loses ? { FAULT_LOSE_UNFLUSHED: '1' } : {}),
    });
    return signal === 'SIGKILL' ? `at change ${at}${loses ? ', unflushed lost' : ''}` : null;
  }

  /** From outside, wherever the agent happens to be; a running script lives on. */
  async function killAtTime(device: PowerCutDevice, after: number): Promise<string | null> {
    const agent = await device.sandbox.start(['once']);
    const ended = agent.exit.then(() => true);
    await Promise.race([agent.firstLine, ended]);
    await Promise.race([sleep(after), ended]);
    agent.process.kill('SIGKILL');
    return (await agent.exit).signal === 'SIGKILL' ? `after ${after} ms` : null;
  }

  function judge(
    tally: Tally,
    what: string,
    { state, faults }: Awaited<ReturnType<PowerCutDevice['recover']>>,
  ): void {
    if (state === 'between') tally.between++;
    else if (faults.length > 0) tally.untold++;
    if (faults.length > 0) tally.findings.push(`${what}: ${faults.join('; ')}`);
  }

  async function measure(device: PowerCutDevice, scenario: Scenario): Promise<Course> {
    await device.begin(scenario);
    const file = `${device.sandbox.dir}/changes`;
    const agent = await device.sandbox.start(['once'], { FAULT_COUNT_FILE: file });
    await agent.firstLine;
    const began = performance.now();
    await agent.exit;
    const duration = performance.now() - began;
    return { changes: Number(await readFile(file, 'utf8')), duration };
  }

  function courseOf(scenario: Scenario): Course {
    const course = courses.get(scenario);
    if (!course) throw new Error(`${scenario} was not measured`);
    return course;
  }

  /** Does the work of numbers 0, 1, … on whichever device is free. */
  async function inLanes(
    until: number | (() => boolean),
    work: (device: PowerCutDevice, index: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const more = (): boolean => (typeof until === 'number' ? next < until : until());
    await Promise.all(
      devices.map(async (device) => {
        while (more()) await work(device, next++);
      }),
    );
  }
});
