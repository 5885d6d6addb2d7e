import { type BootAdapter, BootFailure, type BootTarget, nameOf } from './boot-adapter.ts';
import { requireTool, runTool } from './boot-tool.ts';

interface Slot {
  name: string;
  state: string;
}

interface Status {
  /** Boot name of the running slot. */
  booted: string;
  /** Name of the slot that starts next. */
  primary: string | null;
  slots: Slot[];
}

/**
 * RAUC's slots. `install.sh` runs `rauc install`, which writes the bundle into the slot that does not run and
 * makes it the primary one; the boot loader that RAUC is set up for counts the starts.
 */
export class RaucAdapter implements BootAdapter {
  readonly name = 'rauc';
  readonly rebootCommand = null;

  /** @param busAddress of the D-Bus that RAUC's service is on; default: the system bus */
  constructor(private readonly busAddress?: string) {}

  async check(): Promise<void> {
    await requireTool('rauc', 'rauc');
    const status = await this.#status();
    this.#runningSlot(status);
  }

  /** `rauc install` makes the new slot the primary one. */
  async beforeInstall(): Promise<BootTarget> {
    return { old: this.#runningSlot(await this.#status()).name };
  }

  async select(): Promise<BootTarget> {
    const status = await this.#status();
    const running = this.#runningSlot(status);
    if (status.primary === null || status.primary === running.name) {
      throw new BootFailure(
        `${running.name} runs and would start again: install.sh has to run rauc install`,
      );
    }
    return { old: running.name, new: status.primary };
  }

  async arm(target: BootTarget): Promise<void> {
    await this.#mark('active', nameOf(target, 'new'));
  }

  async bootedNew(target: BootTarget): Promise<boolean> {
    return this.#runningSlot(await this.#status()).name !== nameOf(target, 'old');
  }

  async commit(target: BootTarget): Promise<void> {
    await this.#mark('good', nameOf(target, 'new'));
  }

  async revert(target: BootTarget): Promise<void> {
    await this.#mark('active', nameOf(target, 'old'));
    // Unknown if install.sh was interrupted.
    if (target.new !== undefined) await this.#mark('bad', target.new);
  }

  describe(): string {
    return 'The boot loader returns to the old slot when the new one has used up its attempts.';
  }

  async #mark(what: 'active' | 'good' | 'bad', slot: string): Promise<void> {
    await this.#run(['status', `mark-${what}`, slot]);
  }

  #run(args: string[]): Promise<string> {
    const env = this.busAddress && { DBUS_SYSTEM_BUS_ADDRESS: this.busAddress };
    return runTool('rauc', args, { ...(env && { env }) });
  }

  #runningSlot({ slots, booted }: Status): Slot {
    const running = slots.find(({ state }) => state === 'booted');
    if (running) return running;
    throw new BootFailure(`RAUC does not know the slot that runs (booted: ${booted || 'unknown'})`);
  }

  async #status(): Promise<Status> {
    const output = await this.#run(['status', '--output-format=json']);
    try {
      const status = JSON.parse(output.slice(output.indexOf('{'))) as {
        booted: string;
        boot_primary: string | null;
        slots: Record<string, Omit<Slot, 'name'>>[];
      };
      return {
        booted: status.booted,
        primary: status.boot_primary,
        slots: status.slots.flatMap((one) =>
          Object.entries(one).map(([name, slot]) => ({ name, ...slot })),
        ),
      };
    } catch {
      throw new BootFailure(`the output of rauc status is not understood: ${output.slice(0, 200)}`);
    }
  }
}
