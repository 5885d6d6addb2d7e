/**
 * Kills agents at random: measures how long a run without faults is, picks a moment in it, and keeps count of
 * what came of it. Trials run side by side, one device in each lane.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentExit, RunningAgent } from '../sandbox.ts';
import { type Random, trialRandom } from './random.ts';
import type { Verdict } from './verdict.ts';

const LANES = 4;
/** Starts of the agent after which a run without faults has to be over. */
const MAX_STARTS = 10;

export interface TrialDevice<Scenario extends string> {
  /** A device that has lived through nothing yet, and a server that wants something of it. */
  begin(scenario: Scenario): Promise<void>;
  /** Starts the agent, with what shall go wrong, and resolves at its end. */
  once(faults?: Record<string, string>): Promise<AgentExit>;
  start(faults?: Record<string, string>): Promise<RunningAgent>;
  isAtRest(): Promise<boolean>;
  /** Lets the agent run until it has nothing left to do, and judges. */
  recover(): Promise<Verdict>;
  remove(): Promise<void>;
}

/** One start of the agent in a run without faults. */
export interface Course {
  /** Changes the agent makes to the disk. */
  changes: number;
  /** Commands that it starts. */
  commands: number;
  /** Milliseconds from the agent's first log line to its end. */
  duration: number;
}

export class Tally {
  kills = 0;
  between = 0;
  untold = 0;
  readonly findings: string[] = [];

  add(what: string, { state, faults }: Verdict): void {
    if (state === 'between') this.between++;
    else if (faults.length > 0) this.untold++;
    if (faults.length > 0) this.findings.push(`${what}: ${faults.join('; ')}`);
  }

  print(what: string, seed: number): void {
    console.log(
      `      ${what} (OTA_KILL_SEED=${seed}), ` +
        `devices between versions: ${this.between}, reports lost: ${this.untold}`,
    );
  }
}

export class KillDriver<Scenario extends string, Device extends TrialDevice<Scenario>> {
  readonly #courses = new Map<Scenario, Course[]>();

  private constructor(
    private readonly scenarios: readonly Scenario[],
    private readonly devices: readonly Device[],
    private readonly folder: string,
    readonly seed: number,
  ) {}

  /** Makes a device for each lane and measures each scenario without faults. */
  static async create<Scenario extends string, Device extends TrialDevice<Scenario>>(
    scenarios: readonly Scenario[],
    createDevice: () => Promise<Device>,
  ): Promise<KillDriver<Scenario, Device>> {
    const seed = Number(process.env['OTA_KILL_SEED'] ?? Math.floor(Math.random() * 1_000_000));
    const devices = await Promise.all(Array.from({ length: LANES }, createDevice));
    const folder = await mkdtemp(join(tmpdir(), 'ota-kills-'));
    const driver = new KillDriver(scenarios, devices, folder, seed);
    await driver.inLanes(scenarios.length, async (device, index) => {
      const scenario = driver.scenarioOf(index);
      driver.#courses.set(scenario, await driver.#measure(device, scenario));
    });
    return driver;
  }

  async remove(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.remove()));
    await rm(this.folder, { recursive: true });
  }

  /** Every scenario in turn. */
  scenarioOf(trial: number): Scenario {
    return this.scenarios[trial % this.scenarios.length] as Scenario;
  }

  /** The same numbers for the same seed and trial. */
  randomOf(trial: number, series = 0): Random {
    return trialRandom(this.seed + series, trial);
  }

  /** @param start the first start of the agent in a run is 0; past the last one: the last one */
  courseOf(scenario: Scenario, start = 0): Course {
    const courses = this.#courses.get(scenario) ?? [];
    const course = courses[Math.min(start, courses.length - 1)];
    if (!course) throw new Error(`${scenario} was not measured`);
    return course;
  }

  /** Does the work of numbers 0, 1, … on whichever device is free. */
  async inLanes(
    until: number | (() => boolean),
    work: (device: Device, index: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const more = (): boolean => (typeof until === 'number' ? next < until : until());
    await Promise.all(
      this.devices.map(async (device) => {
        while (more()) await work(device, next++);
      }),
    );
  }

  async #measure(device: Device, scenario: Scenario): Promise<Course[]> {
    const courses: Course[] = [];
    const file = join(this.folder, `${this.scenarios.indexOf(scenario)}.json`);
    await device.begin(scenario);
    do {
      if (courses.length === MAX_STARTS) throw new Error(`${scenario} does not come to an end`);
      const agent = await device.start({ FAULT_COUNT_FILE: file });
      await agent.firstLine;
      const began = performance.now();
      await agent.exit;
      const duration = performance.now() - began;
      const counts = JSON.parse(await readFile(file, 'utf8')) as Omit<Course, 'duration'>;
      courses.push({ ...counts, duration });
    } while (!(await device.isAtRest()));
    return courses;
  }
}

/** Each kills a running agent, and resolves with how; `null`: the agent came to an end before. */
type Kill<Args extends unknown[]> = (
  device: TrialDevice<never>,
  ...args: Args
) => Promise<string | null>;

/** @param losesUnflushed the disk loses what was not flushed to it, too, as in a power cut */
export const killAtChange: Kill<[change: number, losesUnflushed: boolean]> = async (
  device,
  change,
  losesUnflushed,
) => {
  const struck = await strikes(device, {
    FAULT_KILL_AT: String(change),
    ...(losesUnflushed && { FAULT_LOSE_UNFLUSHED: '1' }),
  });
  return struck ? `at change ${change}${losesUnflushed ? ', unflushed lost' : ''}` : null;
};

/** Right after the agent has started its n-th command, which lives on. */
export const killAtCommand: Kill<[command: number]> = async (device, command) => {
  const struck = await strikes(device, { FAULT_KILL_AT_COMMAND: String(command) });
  return struck ? `in command ${command}` : null;
};

/** From outside, wherever the agent happens to be; a running command lives on. */
export const killAtTime: Kill<[milliseconds: number]> = async (device, milliseconds) => {
  const agent = await device.start();
  const ended = agent.exit.then(() => true);
  await Promise.race([agent.firstLine, ended]);
  if (await Promise.race([sleep(milliseconds, false), ended])) return null;
  agent.process.kill('SIGKILL');
  return (await agent.exit).signal === 'SIGKILL' ? `after ${milliseconds} ms` : null;
};

async function strikes(
  device: TrialDevice<never>,
  faults: Record<string, string>,
): Promise<boolean> {
  const { stderr } = await device.once(faults);
  return stderr.includes('killed by the fault injection');
}
