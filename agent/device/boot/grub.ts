import { copyFile, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BootAdapter, BootFailure, type BootTarget, nameOf } from './boot-adapter.ts';
import { requireTool, requireWritable, runTool } from './boot-tool.ts';

/** Kernel parameter that each menu entry carries, so that the running system knows its entry. */
export const ENTRY_PARAMETER = 'ota.entry';

/**
 * GRUB's `next_entry`: it is started once; without a commit the next start is `saved_entry` again. `install.sh`
 * writes the id of the new menu entry into the file `OTA_REBOOT_REQUIRED`.
 */
export class GrubAdapter implements BootAdapter {
  readonly name = 'grub';
  readonly rebootCommand = null;

  /** @param commandLineFile the running kernel's parameters */
  constructor(
    private readonly environmentFile: string,
    private readonly commandLineFile = '/proc/cmdline',
  ) {}

  async check(): Promise<void> {
    await requireTool('grub-editenv', 'grub-common');
    await requireWritable(this.environmentFile, 'the GRUB environment');
    if ((await this.#runningEntry()) === null) {
      throw new BootFailure(
        `the running kernel has no parameter ${ENTRY_PARAMETER}=…: add it to the menu entries`,
      );
    }
  }

  async select(wanted: string): Promise<BootTarget> {
    if (wanted === '') {
      throw new BootFailure(
        'install.sh has to write the id of the new menu entry into the file OTA_REBOOT_REQUIRED',
      );
    }
    const running = await this.#runningEntry();
    if (running === null)
      throw new BootFailure(`the running entry is unknown: no ${ENTRY_PARAMETER}`);
    return { old: running, new: wanted };
  }

  async arm(target: BootTarget): Promise<void> {
    await this.#edit([
      'set',
      `saved_entry=${nameOf(target, 'old')}`,
      `next_entry=${nameOf(target, 'new')}`,
    ]);
  }

  async bootedNew(target: BootTarget): Promise<boolean> {
    return (await this.#runningEntry()) === target.new;
  }

  async commit(target: BootTarget): Promise<void> {
    await this.#edit(['set', `saved_entry=${nameOf(target, 'new')}`], ['unset', 'next_entry']);
  }

  async revert(target: BootTarget): Promise<void> {
    await this.#edit(['set', `saved_entry=${nameOf(target, 'old')}`], ['unset', 'next_entry']);
  }

  describe(): string {
    return 'GRUB starts the new entry once and the old one after that. A kernel that hangs needs a watchdog, one that panics the parameter panic=10, and one that GRUB cannot load a fallback entry.';
  }

  /**
   * All in one write, in place. `grub-editenv` truncates the file, so that a file system with a journal gives
   * it another block. GRUB reads no journals: after a power cut it would still find the old one, although the
   * change was flushed. GRUB itself writes in place, too.
   */
  async #edit(...commands: string[][]): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'ota-agent-'));
    try {
      const copy = join(folder, 'grubenv');
      await copyFile(this.environmentFile, copy);
      for (const command of commands) await runTool('grub-editenv', [copy, ...command]);
      await overwrite(this.environmentFile, await readFile(copy));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #runningEntry(): Promise<string | null> {
    const parameters = (await readFile(this.commandLineFile, 'utf8')).trim().split(/\s+/);
    const own = parameters.find((one) => one.startsWith(`${ENTRY_PARAMETER}=`));
    return own === undefined ? null : own.slice(ENTRY_PARAMETER.length + 1);
  }
}

/** The contents must have the size of the file, which keeps its blocks. */
async function overwrite(file: string, contents: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(contents, 0, contents.length, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
