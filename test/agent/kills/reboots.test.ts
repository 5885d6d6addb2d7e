import { expect } from 'chai';
import {
  KillDriver,
  Tally,
  killAtChange,
  killAtCommand,
  killAtTime,
} from '../../support/agent/kills/kill-driver.ts';
import { type Random, oneTo } from '../../support/agent/kills/random.ts';
import {
  REBOOT_SCENARIOS,
  type RebootScenario,
  RebootTrialDevice,
} from '../../support/agent/kills/reboot-trial-device.ts';
import { canMountPrivately } from '../../support/agent/mount-namespace.ts';

/** So many agents are killed. */
const KILLS = Number(process.env['OTA_REBOOT_KILLS'] ?? 300);
const KILLS_A_TRIAL = { min: 2, max: 5 };
/** Share of starts without a kill, so that later ones are reached. */
const LEFT_ALONE = 0.25;

describe('agent: killed at random around reboots', () => {
  let driver: KillDriver<RebootScenario, RebootTrialDevice> | undefined;

  before(async function () {
    if (!canMountPrivately()) this.skip();
    this.timeout(120_000);
    const scenarios = Object.keys(REBOOT_SCENARIOS) as RebootScenario[];
    driver = await KillDriver.create(scenarios, () => RebootTrialDevice.create());
  });
  after(() => driver?.remove());

  it(`F35–F39 ends on exactly the old or the new version, which also runs and starts from now on, in ${KILLS} kills`, async function () {
    this.timeout(60_000 + KILLS * 10_000);
    const { seed } = measured();
    const tally = new Tally();
    await measured().inLanes(
      () => tally.kills < KILLS,
      async (device, trial) => {
        const scenario = measured().scenarioOf(trial);
        await device.begin(scenario);
        const kills = await killAtRandom(device, scenario, measured().randomOf(trial));
        tally.kills += kills.length;
        tally.add(`trial ${trial}, ${scenario}: ${kills.join('; ')}`, await device.recover());
      },
    );
    tally.print(`kills around reboots tried: ${tally.kills}`, seed);
    expect(tally.findings).to.deep.equal([]);
  });

  /** Several kills, in some of the starts that it takes to come to rest. */
  async function killAtRandom(
    device: RebootTrialDevice,
    scenario: RebootScenario,
    random: Random,
  ): Promise<string[]> {
    const done: string[] = [];
    const { min, max } = KILLS_A_TRIAL;
    const wanted = min - 1 + oneTo(max - min + 1, random);
    while (done.length < wanted && !(await device.isAtRest())) {
      if (random() < LEFT_ALONE) {
        await device.once();
        continue;
      }
      const how = await killOnce(device, scenario, random);
      if (how !== null) done.push(how);
    }
    return done;
  }

  /** Loses what was not flushed only together with the power. */
  async function killOnce(
    device: RebootTrialDevice,
    scenario: RebootScenario,
    random: Random,
  ): Promise<string | null> {
    const course = measured().courseOf(scenario, await device.starts());
    const losesPower = random() < 0.5;
    const kind = random();
    const how =
      kind < 0.4
        ? await killAtChange(device, oneTo(course.changes, random), losesPower)
        : kind < 0.7
          ? await killAtCommand(device, oneTo(course.commands, random))
          : await killAtTime(device, Math.round(random() * course.duration));
    if (how === null) return null;
    if (losesPower) await device.powerCycle();
    return `${how}, then ${losesPower ? 'a power cut' : 'the agent alone'}`;
  }

  function measured(): KillDriver<RebootScenario, RebootTrialDevice> {
    if (!driver) throw new Error('the scenarios were not measured');
    return driver;
  }
});
