import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  errorCode,
  readIfPresent,
  removeDurable,
  syncDirectory,
  writeDurable,
} from '../../files/durable-file.ts';
import { type BootAdapter, BootFailure, type BootTarget } from './boot-adapter.ts';
import { requireWritable } from './boot-tool.ts';

const CONFIG_MODE = 0o644;

/**
 * The firmware's tryboot: after a reboot with the argument `0 tryboot` it reads `tryboot.txt` in place of
 * `config.txt`, once. `install.sh` puts new files beside the old ones and a `tryboot.txt` that names them.
 * A commit makes it the `config.txt`, and keeps the old one for a rollback.
 */
export class RaspberryPiAdapter implements BootAdapter {
  readonly name = 'raspberry-pi';
  readonly rebootCommand = "systemctl reboot --reboot-argument='0 tryboot'";
  readonly #config: string;
  readonly #tryConfig: string;
  readonly #oldConfig: string;

  /**
   * @param firmware the boot partition
   * @param deviceTree where the firmware tells how it started the kernel
   */
  constructor(
    private readonly firmware: string,
    private readonly deviceTree = '/proc/device-tree',
  ) {
    this.#config = join(firmware, 'config.txt');
    this.#tryConfig = join(firmware, 'tryboot.txt');
    this.#oldConfig = join(firmware, 'config.txt.before-update');
  }

  async check(): Promise<void> {
    await requireWritable(this.firmware, 'the boot partition');
    await requireWritable(this.#config, 'the firmware configuration');
    await this.#hasTried();
  }

  /** The systems have no names: the digest of its configuration identifies the new one. */
  async select(): Promise<BootTarget> {
    const text = await readIfPresent(this.#tryConfig);
    if (text === null) {
      throw new BootFailure(`install.sh has to write tryboot.txt into ${this.firmware}`);
    }
    return { new: digest(text) };
  }

  /** The argument of the reboot arms it; nothing has to be written. */
  async arm(): Promise<void> {}

  async bootedNew(target: BootTarget): Promise<boolean> {
    return (await this.#hasTried()) || (await this.#isCommitted(target));
  }

  async commit(target: BootTarget): Promise<void> {
    if (await this.#isCommitted(target)) return;
    await writeDurable(this.#oldConfig, await readFile(this.#config), CONFIG_MODE);
    await rename(this.#tryConfig, this.#config);
    await syncDirectory(this.firmware);
  }

  async revert(target: BootTarget): Promise<void> {
    await removeDurable(this.#tryConfig);
    if (!(await this.#isCommitted(target))) return;
    try {
      await rename(this.#oldConfig, this.#config);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      throw new BootFailure(`${this.#oldConfig} is missing: the old config.txt cannot be restored`);
    }
    await syncDirectory(this.firmware);
  }

  describe(): string {
    return 'The firmware starts the new system once and the old one after that. A kernel that hangs needs the watchdog.';
  }

  async #isCommitted(target: BootTarget): Promise<boolean> {
    return digest((await readIfPresent(this.#config)) ?? '') === target.new;
  }

  async #hasTried(): Promise<boolean> {
    const file = join(this.deviceTree, 'chosen', 'bootloader', 'tryboot');
    try {
      return (await readFile(file)).readUInt32BE(0) === 1;
    } catch (error) {
      throw new BootFailure(
        `the firmware does not report whether it tried a new system, it may be too old: ${(error as Error).message}`,
      );
    }
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
