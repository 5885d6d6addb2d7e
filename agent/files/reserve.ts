/**
 * A little disk space set aside before an installation. A script that fills the disk would otherwise leave no
 * room to record the rollback.
 */
import { randomBytes } from 'node:crypto';
import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, writeDurable } from './durable-file.ts';

/** Enough for the journal, the last report and its log. */
const RESERVE_BYTES = 1024 * 1024;

/** @throws the disk's error when there is no room: then there is none for an installation, either */
export async function keepReserve(stateDir: string): Promise<void> {
  const found = await stat(join(stateDir, 'reserve')).catch(() => null);
  if (found?.size === RESERVE_BYTES) return;
  // Random, so that no file system can compress it.
  await writeDurable(join(stateDir, 'reserve'), randomBytes(RESERVE_BYTES));
}

/** @returns whether there was a reserve */
export async function releaseReserve(stateDir: string): Promise<boolean> {
  try {
    await unlink(join(stateDir, 'reserve'));
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
