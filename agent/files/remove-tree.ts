/**
 * Removes a folder or file with everything in it, as far as possible. Scripts leave more behind than files:
 * folders without write permission, immutable files, mounts. What is mounted below is never entered.
 */
import { chmod, lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../kernel/errors.ts';
import { errorCode } from './durable-file.ts';
import { mountPoints, placeOf } from './mounts.ts';

/**
 * @param mounts the mount points, where the caller has read them already
 * @returns what could not be removed, and why; empty when everything was
 */
export async function removeTree(path: string, mounts?: string[]): Promise<string[]> {
  const faults: string[] = [];
  await remove(await placeOf(path), mounts ?? (await mountPoints()), faults);
  return faults;
}

/** @throws Error naming what is in the way */
export async function requireRemoved(path: string, mounts?: string[]): Promise<void> {
  const faults = await removeTree(path, mounts);
  if (faults.length > 0) throw new Error(faults.slice(0, 3).join('; '));
}

async function remove(path: string, mounts: string[], faults: string[]): Promise<void> {
  if (mounts.includes(path)) {
    faults.push(`${path} is a mount point`);
    return;
  }
  try {
    if (!mounts.some((one) => one.startsWith(`${path}/`))) {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      return;
    }
  } catch {
    // Something in it cannot be removed: one by one.
  }
  const before = faults.length;
  try {
    if (!(await lstat(path)).isDirectory()) {
      await rm(path, { force: true });
      return;
    }
    await chmod(path, 0o700).catch(() => undefined);
    for (const name of await readdir(path)) await remove(join(path, name), mounts, faults);
    if (faults.length === before) await rmdir(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') faults.push(messageOf(error));
  }
}
