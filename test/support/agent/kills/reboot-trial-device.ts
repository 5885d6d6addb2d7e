/** A device that is taken through updates with reboots while its agent is killed and its power is cut. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Package } from '../package-builder.ts';
import { RebootingDevice, type RebootingConfig } from '../rebooting-device.ts';
import type { AgentExit, RunningAgent } from '../sandbox.ts';
import { endProcessesOf, untilNoneRuns } from './device-processes.ts';
import type { TrialDevice } from './kill-driver.ts';
import { copyFolder, packageWith } from './power-cut-device.ts';
import { type Pictures, type Verdict, isAtRest, judge } from './verdict.ts';

const REQUEST = 'echo entry-2 > "$OTA_REBOOT_REQUIRED"\n';
const GOOD = packageWith(REQUEST);
const UNHEALTHY = packageWith(`${REQUEST}touch "$OTA_ROOT/app/sick"\n`);
const MAX_STARTS = 20;

interface Course {
  /** `null`: a good update is behind the device, and the server requests a rollback. */
  offers: Package | null;
  rebootCommand?: string;
  /** Without one, the files that the update changes are the system. */
  adapter?: 'none';
  /** The new system hangs, and the boot loader returns to the old one. */
  unbootable?: true;
}

/** The ways an update with a reboot can go. */
export const REBOOT_SCENARIOS = {
  good: { offers: GOOD },
  'good, marked package': { offers: packageWith('', { 'reboot-required': 'entry-2\n' }) },
  'good, no adapter': { offers: GOOD, adapter: 'none' },
  unhealthy: { offers: UNHEALTHY },
  'unhealthy, no adapter': { offers: UNHEALTHY, adapter: 'none' },
  'never starts': { offers: GOOD, unbootable: true },
  'reboot does nothing': { offers: GOOD, rebootCommand: 'true' },
  'reboot fails': { offers: GOOD, rebootCommand: 'exit 3' },
  'script reboots': {
    offers: packageWith('sh "$OTA_ROOT/../start.sh" "$OTA_ROOT/.."; kill -9 $PPID\n'),
  },
  'rollback asked for': { offers: null },
} as const satisfies Record<string, Course>;
export type RebootScenario = keyof typeof REBOOT_SCENARIOS;

export class RebootTrialDevice implements TrialDevice<RebootScenario> {
  #device!: RebootingDevice;
  #course!: Course;

  private constructor(
    private readonly dir: string,
    private readonly pictures: Pictures,
  ) {}

  static async create(): Promise<RebootTrialDevice> {
    const dir = await mkdtemp(join(tmpdir(), 'ota-reboots-'));
    const folder = join(dir, 'device');
    const device = await RebootingDevice.create(configOf({ offers: GOOD }, folder), folder);
    const old = await device.sandbox.picture();
    device.server.offerPackage(GOOD);
    await device.settle();
    const { status } = device.server.lastReport;
    if (status !== 'completed') throw new Error(`the update without faults ended as ${status}`);
    const pictures = { old, new: await device.sandbox.picture() };
    copyFolder(folder, join(dir, 'updated'));
    await device.server.close();
    return new RebootTrialDevice(dir, pictures);
  }

  /** Starts of the device so far. */
  async starts(): Promise<number> {
    return (await this.#device.starts()).length;
  }

  async begin(scenario: RebootScenario): Promise<void> {
    await this.#end();
    const course: Course = REBOOT_SCENARIOS[scenario];
    const folder = join(this.dir, 'device');
    await rm(folder, { recursive: true, force: true });
    if (course.offers === null) {
      copyFolder(join(this.dir, 'updated'), folder);
      this.#device = await RebootingDevice.at(folder);
      await writeFile(this.#device.boot('starts'), '');
      const rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
      this.#device.server.rollback = rollback;
    } else {
      this.#device = await RebootingDevice.create(configOf(course, folder), folder);
      this.#device.server.offerPackage(course.offers);
    }
    if (course.unbootable) await writeFile(this.#device.boot('unbootable'), 'new');
    if (course.adapter === 'none') {
      await rm(this.#device.boot('usual'));
      await symlink('root/app/version.txt', this.#device.boot('usual'));
    }
    this.#course = course;
  }

  async once(faults: Record<string, string> = {}): Promise<AgentExit> {
    return (await this.start(faults)).exit;
  }

  /** Once the device is down, if it is going down. */
  async start(faults: Record<string, string> = {}): Promise<RunningAgent> {
    const { dir } = this.#device.sandbox;
    await untilNoneRuns(dir, 'start.sh');
    const disturbed = Object.keys(faults).length > 0;
    const files = ['once', 'usual'].map((name) => this.#device.boot(name));
    const bootLoader = this.#course.adapter === 'none' ? '' : files.join(',');
    return this.#device.sandbox.start(
      ['once'],
      disturbed ? { ...faults, FAULT_BOOT_LOADER: bootLoader } : {},
    );
  }

  /** The power is cut and comes back: whatever still runs ends, and the device starts. */
  async powerCycle(): Promise<void> {
    await endProcessesOf(this.#device.sandbox.dir);
    await this.#device.powerCycle();
  }

  isAtRest(): Promise<boolean> {
    return isAtRest(this.#device.sandbox, this.#device.server);
  }

  async recover(): Promise<Verdict> {
    let restarts = 0;
    do {
      await this.once();
    } while (!(await this.isAtRest()) && ++restarts < MAX_STARTS);
    const { sandbox, server } = this.#device;
    const verdict = await judge(sandbox, server, this.pictures);
    if (restarts === MAX_STARTS) verdict.faults.push('the agent does not come to an end');
    verdict.faults.push(...(await this.#faultsOfBoot(verdict.state)));
    return verdict;
  }

  async remove(): Promise<void> {
    await this.#end();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    if (!this.#device) return;
    await endProcessesOf(this.#device.sandbox.dir);
    await this.#device.remove();
  }

  /** The system has to be of the same version as the files, now and after the next start. */
  async #faultsOfBoot(state: string): Promise<string[]> {
    const faults: string[] = [];
    if ((await this.#device.running()) !== state && !this.#reportsTheOtherSystem()) {
      faults.push(`files are ${state}, the other system runs`);
    }
    if ((await this.#device.next()) !== state) {
      faults.push(`files are ${state}, the other system starts from now on`);
    }
    if (existsSync(this.#device.sandbox.state('reboot-on-trial'))) {
      faults.push('the mark of a trial is left behind');
    }
    return faults;
  }

  /** A device that cannot reboot by itself cannot return to the old system, and has to report that. */
  #reportsTheOtherSystem(): boolean {
    const { error_message } = this.#device.server.lastReport;
    const reported = error_message?.includes('The device still runs the new system');
    return this.#course.rebootCommand !== undefined && reported === true;
  }
}

function configOf({ adapter, rebootCommand }: Course, folder: string): RebootingConfig {
  return {
    ...(rebootCommand !== undefined && { rebootCommand }),
    ...(adapter && { adapter }),
    change: {
      health: { checks: [{ type: 'command', command: '! test -e app/sick', retries: 0 }] },
      reboot: { paths: [join(folder, 'root', 'app')] },
    },
  };
}
