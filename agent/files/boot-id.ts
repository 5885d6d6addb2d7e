import { readFile } from 'node:fs/promises';

/** Differs from one start of the kernel to the next. Rejects where `/proc` is not mounted. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
