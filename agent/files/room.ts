/**
 * Room on the disk. Packages and snapshots must leave enough for what the agent has to record: known sizes are
 * compared with the free space before bytes are written, and when a small durable file finds the disk full,
 * what the agent can do without is dropped first.
 */
import { readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '../kernel/errors.ts';
import { errorCode } from './durable-file.ts';
import { isDiskFull, releaseReserve } from './reserve.ts';
import { keptDownloadDir, packageFileOf, packageInfoFile, workDir } from './state-folder.ts';

/** Left free besides the reserve, for journal, outbox and log, and for other programs. */
export const SPARE_BYTES = 2 * 1024 * 1024;

/** Not enough room for a step that leaves the device untouched. */
export class NoSpace extends StepFailure {
  constructor(message: string) {
    super(message, 'space');
  }
}

/** Bytes that may be written below the folder; `null` where they are unknown. */
export async function freeBytes(folder: string): Promise<number | null> {
  try {
    const found = await statfs(folder);
    return found.blocks > 0 ? found.bavail * found.bsize : null;
  } catch {
    return null;
  }
}

/**
 * @param bytes still to be written below the folder
 * @throws {NoSpace} when {@link SPARE_BYTES} would not be left
 */
export async function requireRoom(folder: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free !== null && bytes + SPARE_BYTES > free) {
    throw new NoSpace(
      `Not enough space: ${what} needs ${bytes} bytes and ${SPARE_BYTES} have to stay free, but ${folder} has ${free}.`,
    );
  }
}

/** Writes something small, and frees room that the agent itself takes up when the disk is full. */
export async function withRoom<T>(stateDir: string, write: () => Promise<T>): Promise<T> {
  const drops = [dropKept, releaseReserve, dropPackages];
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const dropped = await dropNext(drops, stateDir);
      if (!dropped) throw error;
    }
  }
}

/**
 * Drops everything the agent can do without.
 * @returns whether there was anything
 */
export async function makeRoom(stateDir: string): Promise<boolean> {
  const drops = [dropKept, releaseReserve, dropPackages];
  const dropped = await Promise.all(drops.map((drop) => drop(stateDir).catch(() => false)));
  return dropped.includes(true);
}

async function dropNext(
  drops: ((stateDir: string) => Promise<boolean>)[],
  stateDir: string,
): Promise<boolean> {
  for (let drop = drops.shift(); drop; drop = drops.shift()) {
    if (await drop(stateDir).catch(() => false)) return true;
  }
  return false;
}

/** What an earlier attempt had downloaded. */
async function dropKept(stateDir: string): Promise<boolean> {
  return dropFolderContents(keptDownloadDir(stateDir));
}

/** Downloaded packages: they can be downloaded again, and are not needed once unpacked. */
async function dropPackages(stateDir: string): Promise<boolean> {
  let dropped = false;
  for (const run of await readdir(workDir(stateDir)).catch(() => [] as string[])) {
    const file = packageFileOf(stateDir, run);
    for (const path of [file, packageInfoFile(file)]) {
      dropped = (await removed(path)) || dropped;
    }
  }
  return dropped;
}

async function dropFolderContents(folder: string): Promise<boolean> {
  let dropped = false;
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    dropped = (await removed(join(folder, name))) || dropped;
  }
  return dropped;
}

async function removed(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
