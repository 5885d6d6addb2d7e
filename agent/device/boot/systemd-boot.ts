import { readFile, readdir, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { syncDirectory } from '../../files/durable-file.ts';
import { type BootAdapter, BootFailure, type BootTarget, nameOf } from './boot-adapter.ts';
import { requireWritable } from './boot-tool.ts';

const SELECTED_ENTRY = 'LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
/** Attributes of the variable, before its value. */
const EFI_ATTRIBUTES_BYTES = 4;

interface Entry {
  folder: string;
  /** Name in the folder, with counters: `pump-v2+3.conf`. */
  file: string;
}

/**
 * Boot counting of the Boot Loader Specification: an entry `NAME+LEFT-DONE.conf` (or `.efi`) is tried while
 * LEFT is above 0 and sorted last after that. `install.sh` writes the new entry as `NAME+0.conf`, which is not
 * started before it is armed, and its id into the file `OTA_REBOOT_REQUIRED`. Renaming it without counters is
 * what systemd-bless-boot does.
 */
export class SystemdBootAdapter implements BootAdapter {
  readonly name = 'systemd-boot';
  readonly rebootCommand = null;

  /**
   * @param boot where `loader/entries` and `EFI/Linux` are: the EFI system partition, or XBOOTLDR
   * @param maxBoots starts that the new entry gets
   */
  constructor(
    private readonly boot: string,
    private readonly maxBoots: number,
    private readonly efiVariables = '/sys/firmware/efi/efivars',
  ) {}

  async check(): Promise<void> {
    await requireWritable(this.boot, 'the boot partition');
    await this.#runningEntry();
  }

  async select(wanted: string): Promise<BootTarget> {
    const id = withoutCounters(wanted);
    if (id === '') {
      throw new BootFailure(
        'install.sh has to write the id of the new boot entry into the file OTA_REBOOT_REQUIRED',
      );
    }
    await this.#find(id);
    return { old: await this.#runningEntry(), new: id };
  }

  async arm(target: BootTarget): Promise<void> {
    await this.#removeSpent(target);
    await this.#count(target, `+${this.maxBoots}`);
  }

  async bootedNew(target: BootTarget): Promise<boolean> {
    return (await this.#runningEntry()) === target.new;
  }

  async commit(target: BootTarget): Promise<void> {
    await this.#count(target, '');
  }

  /** The entry may be gone with the files that were restored. */
  async revert(target: BootTarget): Promise<void> {
    const entries = await this.#all(nameOf(target, 'new'));
    if (entries.length > 0) await this.#count(target, '+0');
  }

  describe(): string {
    return `systemd-boot starts the old entry after ${this.maxBoots} starts without a commit. A kernel that hangs needs a watchdog.`;
  }

  async #count(target: BootTarget, counters: string): Promise<void> {
    const id = nameOf(target, 'new');
    const { folder, file } = await this.#find(id);
    const name = `${id}${counters}${extname(file)}`;
    if (name === file) return;
    await rename(join(folder, file), join(folder, name));
    await syncDirectory(folder);
  }

  /** What an earlier attempt at the same entry left, which would be found in its place. */
  async #removeSpent(target: BootTarget): Promise<void> {
    const [, ...spent] = await this.#all(nameOf(target, 'new'));
    for (const { folder, file } of spent) await rm(join(folder, file));
  }

  async #find(id: string): Promise<Entry> {
    const [first] = await this.#all(id);
    if (first) return first;
    throw new BootFailure(`there is no boot entry ${id} below ${this.boot}`);
  }

  /** The one that install.sh has just written first: without counters, or with no starts done. */
  async #all(id: string): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (const folder of [join(this.boot, 'loader', 'entries'), join(this.boot, 'EFI', 'Linux')]) {
      for (const file of await readdir(folder).catch(() => [] as string[])) {
        if (/\.(conf|efi)$/.test(file) && withoutCounters(file) === id)
          entries.push({ folder, file });
      }
    }
    return entries.sort((a, b) => a.file.length - b.file.length);
  }

  /** As systemd-boot recorded it at the start: UTF-16 behind the attributes. */
  async #runningEntry(): Promise<string> {
    const file = join(this.efiVariables, SELECTED_ENTRY);
    try {
      const bytes = await readFile(file);
      const name = bytes.subarray(EFI_ATTRIBUTES_BYTES).toString('utf16le').replace(/\0+$/, '');
      return withoutCounters(name);
    } catch (error) {
      throw new BootFailure(
        `the running boot entry is unknown, was the device started by systemd-boot? ${(error as Error).message}`,
      );
    }
  }
}

/** `pump-v2+3-1.conf` and `pump-v2` are both `pump-v2`. */
function withoutCounters(name: string): string {
  return name.replace(/\.(conf|efi)$/, '').replace(/\+\d+(-\d+)?$/, '');
}
