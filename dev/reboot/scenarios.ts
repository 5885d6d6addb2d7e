/** The updates that the virtual machine is taken through, one after the other. */
import { setTimeout as delay } from 'node:timers/promises';

import { seededRandom } from '../fleet/random.ts';
import { type Observation, Observer } from './observation.ts';
import type { SystemVersion } from './system-image.ts';
import type { BuiltVersion, RunningUpdate, TestBench } from './test-bench.ts';

export interface PowerCut {
  /** Seconds after the deployment. */
  at: number;
  /** What the device was doing. */
  during: string;
}

export interface ScenarioResult extends Observation {
  name: string;
  /** What the device ran before. */
  before: Running;
  /** What does not agree on the version that has to run now; empty if all is well. */
  disagreements: string[];
  cut?: PowerCut;
}

/** A version, and the slot that contains it. */
export interface Running {
  version: BuiltVersion;
  slot: string;
}

interface UpdateOptions {
  fault?: SystemVersion['fault'];
  /** Resolves when the power is to be cut. */
  cutWhen?: (update: RunningUpdate) => Promise<unknown>;
}

export class Scenarios {
  /** What has to run now. */
  #running: Running;
  #updates = 0;

  constructor(private readonly bench: TestBench) {
    this.#running = { version: bench.delivered, slot: 'slot-a' };
  }

  /** An update with a reboot that succeeds. */
  healthy(): Promise<ScenarioResult> {
    return this.#update('healthy');
  }

  /** The new system starts, and its health check fails. */
  unhealthy(): Promise<ScenarioResult> {
    return this.#update('unhealthy', { fault: 'unhealthy' });
  }

  /** The kernel of the new system panics. */
  panics(): Promise<ScenarioResult> {
    return this.#update('kernel panics', { fault: 'panics' });
  }

  /** GRUB cannot load the new system. */
  withoutKernel(): Promise<ScenarioResult> {
    return this.#update('no kernel', { fault: 'no-kernel' });
  }

  /** The power is cut as soon as Ops-Center has the result: the device must not fall back to the old system. */
  cutAfterCompletion(): Promise<ScenarioResult> {
    return this.#update('cut when completed', { cutWhen: (update) => update.finished() });
  }

  /**
   * Updates during each of which the power is cut once, at a random moment, and comes back.
   * @param duration of an update that nothing disturbs, in seconds: the moments are within it
   */
  async *powerCuts(count: number, seed: number, duration: number): AsyncGenerator<ScenarioResult> {
    const random = seededRandom(seed);
    for (let number = 1; number <= count; number += 1) {
      // One in each of `count` equal parts of the update, so that every part of it has one.
      const share = (number - 1 + random.share()) / count;
      yield await this.#update(`power cut ${number}`, {
        // The moment has to be random, so there is nothing to wait for but time.
        cutWhen: () => delay(share * duration * 1_000),
      });
    }
  }

  async #update(name: string, { fault, cutWhen }: UpdateOptions = {}): Promise<ScenarioResult> {
    const { bench } = this;
    const before = this.#running;
    const { old, new: newer } = bench.kernels;
    const update = await bench.deploy({
      version: `v2.${++this.#updates}.0`,
      kernel: before.version.kernel === old ? newer : old,
      ...(fault && { fault }),
    });
    const observer = new Observer(bench.machine);
    const cut = cutWhen ? await this.#cutPower(observer, cutWhen(update)) : null;
    const observation = await observer.observe(update);
    if (observation.target.status === 'completed') {
      const slot = before.slot === 'slot-a' ? 'slot-b' : 'slot-a';
      this.#running = { version: update.version, slot };
    }
    return {
      ...observation,
      name,
      before,
      disagreements: disagreements(observation, this.#running),
      ...(cut && { cut }),
    };
  }

  async #cutPower(observer: Observer, moment: Promise<unknown>): Promise<PowerCut> {
    const { machine } = this.bench;
    await moment;
    const cut = { at: observer.seconds, during: observer.activity };
    await machine.cutPower();
    await machine.switchOn();
    return cut;
  }
}

function disagreements(
  { device, target }: Observation,
  { version: built, slot }: Running,
): string[] {
  const { version, kernel, imageSha256 } = built;
  const facts: [what: string, actual: string | null, expected: string][] = [
    ['running system', device.system, version],
    ['running kernel', device.kernel, kernel.release],
    ['started slot', device.slot, slot],
    ['contents of the slot', device.image, imageSha256],
    ['settings', device.settings, `settings of ${version}`],
    ['version recorded by the agent', device.recorded, version],
    ['version recorded by Ops-Center', target.current_version, version],
  ];
  return facts
    .filter(([, actual, expected]) => actual !== expected)
    .map(([what, actual, expected]) => `${what}: ${actual}, not ${expected}`);
}
