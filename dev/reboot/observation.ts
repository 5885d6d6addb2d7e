/** What happens to the device during an update, and when. */
import type { TargetView } from '../../backend/contract/admin-api.ts';
import type { BuiltVersion, RunningUpdate } from './test-bench.ts';
import type { DeviceReport, VirtualMachine } from './virtual-machine.ts';

/** In seconds; `null`: the device did not reboot. */
export interface Phases {
  /** From the deployment until the device restarts. */
  install: number | null;
  /** From then until the system is up that the boot loader has started last. */
  reboot: number | null;
  /** From then until Ops-Center has the result. */
  verify: number | null;
  total: number;
}

export interface Observation {
  /** Version that the device was to get. */
  version: BuiltVersion;
  phases: Phases;
  /** Slots in the order in which GRUB has started them. */
  started: string[];
  /** Kernel panics on the console. */
  panics: number;
  target: TargetView;
  device: DeviceReport;
}

/** Watches the machine from its creation until the update has finished. */
export class Observer {
  readonly #begin = performance.now();
  readonly #started: string[] = [];
  #panics = 0;
  #restartedAt: number | null = null;
  #upAt: number | null = null;
  #activity = 'polling';

  constructor(private readonly machine: VirtualMachine) {
    machine.on('line', this.#onLine).on('restart', this.#onRestart);
  }

  /** What the device is doing. */
  get activity(): string {
    return this.#activity;
  }

  /** Since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#begin) / 1_000;
  }

  async observe(update: RunningUpdate): Promise<Observation> {
    const target = await update.finished();
    const phases = this.#phases(this.seconds);
    // A device whose power was cut may have to start first.
    const device = await this.machine.report();
    this.machine.off('line', this.#onLine).off('restart', this.#onRestart);
    const { version } = update;
    return {
      version,
      phases,
      started: this.#started,
      panics: this.#panics,
      target,
      device,
    };
  }

  #phases(total: number): Phases {
    const restarted = this.#restartedAt;
    const up = this.#upAt;
    if (restarted === null || up === null) {
      return { install: null, reboot: null, verify: null, total };
    }
    return { install: restarted, reboot: up - restarted, verify: total - up, total };
  }

  readonly #onLine = (line: string): void => {
    const slot = /GRUB starts (slot-[ab])/.exec(line)?.[1];
    const step = /"msg":"step (\w+)"/.exec(line)?.[1];
    if (slot) {
      this.#started.push(slot);
      this.#activity = `${slot} starts`;
    }
    if (step) this.#activity = `step ${step}`;
    if (line.includes('] Kernel panic')) this.#panics += 1;
    if (line.includes('PUMP STARTED')) {
      this.#upAt = this.seconds;
      this.#activity = 'agent starts';
    }
  };

  readonly #onRestart = (): void => {
    this.#restartedAt ??= this.seconds;
    this.#activity = 'firmware';
  };
}
