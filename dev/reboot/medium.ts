/**
 * What the disk of the virtual machine keeps when the power is cut.
 *
 * A disk has a cache of its own: what was written but not flushed may be lost. Killing QEMU alone would lose
 * little, because the operating system of this machine keeps what QEMU wrote. So each time the machine is
 * switched on, QEMU writes to a new qcow2 file in front of the disk. QEMU keeps the table of that file in its
 * own memory (`cache=writeback`), and writes it out only when the machine flushes its disk. Killed before that,
 * everything since the last flush reads as it was before, except for blocks written for the second time since
 * the machine was switched on. What is in the memory of the machine is lost in any case.
 */
import { rm } from 'node:fs/promises';

import { QEMU_IMG } from '../programs.ts';
import { runProgram } from './commands.ts';

export class Medium {
  /** What QEMU writes to while the machine is on. */
  readonly #written: string;

  /** @param file what the disk contains while the machine is off */
  constructor(readonly file: string) {
    this.#written = `${file}.written`;
  }

  /** @returns the drive for QEMU, until {@link switchOff} */
  async switchOn(): Promise<string> {
    await runProgram(QEMU_IMG, [
      ...['create', '-q', '-f', 'qcow2', '-b', this.file, '-F', 'raw', this.#written],
    ]);
    return `file=${this.#written},format=qcow2,cache=writeback`;
  }

  /** After QEMU has ended, in whichever way. */
  async switchOff(): Promise<void> {
    await runProgram(QEMU_IMG, ['commit', '-q', this.#written]);
    await rm(this.#written);
  }
}
