import { expect } from 'chai';
import {
  KillDriver,
  Tally,
  killAtChange,
  killAtTime,
} from '../../support/agent/kills/kill-driver.ts';
import {
  PowerCutDevice,
  SCENARIOS,
  type Scenario,
} from '../../support/agent/kills/power-cut-device.ts';
import { type Random, oneTo } from '../../support/agent/kills/random.ts';

/** So many agents are killed. */
const KILLS = Number(process.env['OTA_KILLS'] ?? 200);
const KILLS_A_TRIAL = { min: 3, max: 6 };
/** Later kills come earlier in the run: most of the way is behind the device. */
const LATER = 0.6;

describe('agent: killed at random', () => {
  let driver: KillDriver<Scenario, PowerCutDevice>;

  before(async function () {
    this.timeout(120_000);
    const scenarios = Object.keys(SCENARIOS) as Scenario[];
    driver = await KillDriver.create(scenarios, () => PowerCutDevice.create());
  });
  after(() => driver.remove());

  it(`F30–F39 ends on exactly the old or the new version, and the server is told which, in ${KILLS} kills`, async function () {
    this.timeout(60_000 + KILLS * 10_000);
    const tally = new Tally();
    await driver.inLanes(
      () => tally.kills < KILLS,
      async (device, trial) => {
        const scenario = driver.scenarioOf(trial);
        await device.begin(scenario);
        const kills = await killAtRandom(device, scenario, driver.randomOf(trial));
        tally.kills += kills.length;
        tally.add(`trial ${trial}, ${scenario}: ${kills.join('; ')}`, await device.recover());
      },
    );
    tally.print(`kills tried: ${tally.kills}`, driver.seed);
    expect(tally.findings).to.deep.equal([]);
  });

  it('F29 ends on exactly the old or the new version wherever the disk gets full', async function () {
    const places = Math.ceil(KILLS / 10);
    this.timeout(60_000 + places * 15_000);
    const tally = new Tally();
    await driver.inLanes(places, async (device, place) => {
      const random = driver.randomOf(place);
      const scenario = driver.scenarioOf(place);
      // Spread evenly and shifted at random: every run tries others, and none leaves a gap.
      const share = (place + random()) / places;
      const from = Math.max(1, Math.ceil(share * driver.courseOf(scenario).changes));
      await device.begin(scenario);
      await device.once({ FAULT_NO_SPACE_FROM: String(from) });
      tally.add(`${scenario}, full from change ${from}`, await device.recover());
    });
    tally.print(`full disks tried: ${places}`, driver.seed);
    expect(tally.findings).to.deep.equal([]);
  });

  it('G28 ends on exactly the old or the new version when the disk fills up, stays full over restarts, and the agent is killed meanwhile', async function () {
    const trials = Math.ceil(KILLS / 20);
    this.timeout(60_000 + trials * 30_000);
    const tally = new Tally();
    await driver.inLanes(trials, async (device, trial) => {
      const random = driver.randomOf(trial, 1);
      const scenario = driver.scenarioOf(trial);
      const { changes } = driver.courseOf(scenario);
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
      tally.add(label, await device.recover());
    });
    tally.print(`disks that stay full tried: ${trials}`, driver.seed);
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
    const { changes, duration } = driver.courseOf(scenario);
    for (let time = 0; time < wanted; time++) {
      const share = time === 0 ? 1 : LATER;
      const how =
        random() < 0.7
          ? await killAtChange(device, oneTo(changes * share, random), random() < 0.5)
          : await killAtTime(device, Math.round(random() * duration * share));
      if (how === null) break;
      done.push(how);
    }
    return done;
  }
});
