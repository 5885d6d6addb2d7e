/**
 * What an update with a reboot needs from the boot loader: start the new system on trial, and return to the
 * old one when it does not come up. Each boot loader has one adapter; docs/boot-adapters.md describes how to
 * set up a device for each of them.
 *
 * Every method may be repeated after a power cut: doing it twice must be the same as doing it once.
 */
import { StepFailure } from '../../kernel/errors.ts';

export const BOOT_ADAPTERS = [
  'none',
  'rauc',
  'u-boot',
  'systemd-boot',
  'grub',
  'raspberry-pi',
  'command',
] as const;
export type BootAdapterName = (typeof BOOT_ADAPTERS)[number];

/**
 * What the boot loader calls the two systems; the journal keeps it from before `arm` until the end. An adapter
 * whose boot loader needs no names leaves both out.
 */
export interface BootTarget {
  old?: string;
  new?: string;
}

export interface BootAdapter {
  readonly name: BootAdapterName;

  /**
   * Looks whether the boot loader can be used: its tools are installed, its environment can be written.
   * @throws {BootFailure}
   */
  check(): Promise<void>;

  /**
   * Names the running system, if `install.sh` itself makes the boot loader start the new one: `bootedNew` and
   * `revert` need no more than that, so that they work even when the device restarts in the middle of the
   * script. Left out where scripts only prepare what `arm` switches to. Changes nothing.
   * @throws {BootFailure}
   */
  beforeInstall?(): Promise<BootTarget>;

  /**
   * Finds out which system is new. Changes nothing.
   * @param wanted what install.sh wrote into the file `OTA_REBOOT_REQUIRED`; may be empty
   * @throws {BootFailure} when there is no new system to start
   */
  select(wanted: string): Promise<BootTarget>;

  /**
   * Makes the next start try the new system.
   * @throws {BootFailure}
   */
  arm(target: BootTarget): Promise<void>;

  /**
   * Whether the running system is the new one, before a commit and after it. The answer counts only after a
   * reboot.
   * @throws {BootFailure}
   */
  bootedNew(target: BootTarget): Promise<boolean>;

  /**
   * Makes the new system the one that starts from now on. Called while it runs.
   * @throws {BootFailure}
   */
  commit(target: BootTarget): Promise<void>;

  /**
   * Makes the old system the one that starts from now on, whichever runs, and even after `commit`.
   * @throws {BootFailure}
   */
  revert(target: BootTarget): Promise<void>;

  /** What happens to a system that does not come up, in a sentence or two: for `ota-agent status` and the log. */
  describe(): string;

  /** The command that reboots into what was armed, where the usual one would not; else `null`. */
  readonly rebootCommand: string | null;
}

/** The boot loader could not do what was required of it; the message reads on its own. */
export class BootFailure extends StepFailure {
  override readonly name = 'BootFailure';

  constructor(message: string) {
    super(message, 'reboot');
  }
}

/**
 * What the boot loader calls one of the two systems.
 * @throws {BootFailure}
 */
export function nameOf(target: BootTarget, system: keyof BootTarget): string {
  const name = target[system];
  if (name === undefined) throw new BootFailure(`the ${system} system has no name in the record`);
  return name;
}
