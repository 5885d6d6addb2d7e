/**
 * One agent per state folder. The lock is the file `agent.lock.<n>` with the highest number whose
 * process is still alive. Taking over a dead agent's lock means creating the next number with `link`, which
 * only one contender can; lower numbers are removed after a higher one exists and the highest is never removed,
 * so a slow contender cannot recreate an old number unnoticed.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readBootId } from './boot-id.ts';
import { errorCode, readIfPresent, writeDurable } from './durable-file.ts';
import { isDiskFull } from './reserve.ts';
import { withRoom } from './room.ts';

const PREFIX = 'agent.lock.';
const ATTEMPTS = 20;
const SPARE = 'spare.lock';
const SPARE_BYTES = 512;

interface Holder {
  pid: number;
  /** Start time of the process and id of the boot; a pid alone is soon reused. */
  started: string;
}

export class LockHeld extends Error {
  override readonly name = 'LockHeld';
  constructor(readonly pid: number) {
    super(`another agent (process ${pid}) uses this state folder`);
  }
}

/**
 * Takes the lock until this process exits; there is nothing to release, a dead process's lock counts as free.
 * @param roomDir the agent's state folder, where room can be made when the disk is full
 * @throws {LockHeld}
 */
export async function takeLock(stateDir: string, roomDir = stateDir): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const own = join(stateDir, `${PREFIX}${process.pid}.${randomBytes(4).toString('hex')}.new`);
  const self: Holder = { pid: process.pid, started: (await startOf(process.pid)) ?? 'unknown' };
  try {
    await withRoom(roomDir, () => writeDurable(own, JSON.stringify(self)));
  } catch (error) {
    if (!isDiskFull(error) || !(await fillSpare(stateDir, own, JSON.stringify(self)))) throw error;
  }
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const numbers = await lockNumbers(stateDir);
      const highest = numbers.at(-1) ?? 0;
      const holder = highest > 0 ? await readHolder(stateDir, highest) : null;
      if (holder && (await isAlive(holder))) throw new LockHeld(holder.pid);
      const mine = highest + 1;
      try {
        await link(own, join(stateDir, PREFIX + mine));
      } catch (error) {
        if (errorCode(error) === 'EEXIST') continue;
        throw error;
      }
      const after = await lockNumbers(stateDir);
      if (after.at(-1) !== mine) {
        await rm(join(stateDir, PREFIX + mine), { force: true });
        continue;
      }
      await keepSpare(stateDir);
      for (const older of after.slice(0, -1)) {
        // A lower one that cannot be removed has no effect.
        await rm(join(stateDir, PREFIX + older), { force: true }).catch(() => undefined);
      }
      return;
    }
    throw new Error(`no lock could be taken in ${stateDir} after ${ATTEMPTS} attempts`);
  } finally {
    await rm(own, { force: true }).catch(() => undefined);
  }
}

/** For a disk that others have filled to the last byte: this file already has its blocks. */
async function keepSpare(stateDir: string): Promise<void> {
  const spare = join(stateDir, SPARE);
  const found = await stat(spare).catch(() => null);
  if (found?.size === SPARE_BYTES) return;
  await writeDurable(spare, ' '.repeat(SPARE_BYTES)).catch(() => undefined);
}

/** @returns whether there was a spare; of several contenders one gets it */
async function fillSpare(stateDir: string, own: string, content: string): Promise<boolean> {
  try {
    await rename(join(stateDir, SPARE), own);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  const handle = await open(own, 'r+');
  try {
    // In place, so that no further block is needed; JSON ignores trailing blanks.
    await handle.write(content.padEnd(SPARE_BYTES), 0);
    await handle.sync();
    return true;
  } finally {
    await handle.close();
  }
}

/** The process that holds the lock now, or `null`. */
export async function lockHolder(stateDir: string): Promise<number | null> {
  const highest = (await lockNumbers(stateDir).catch(() => [])).at(-1);
  if (highest === undefined) return null;
  const holder = await readHolder(stateDir, highest);
  return holder && (await isAlive(holder)) ? holder.pid : null;
}

async function lockNumbers(stateDir: string): Promise<number[]> {
  const names = await readdir(stateDir);
  return names
    .filter((name) => name.startsWith(PREFIX) && /^\d+$/.test(name.slice(PREFIX.length)))
    .map((name) => Number(name.slice(PREFIX.length)))
    .sort((a, b) => a - b);
}

async function readHolder(stateDir: string, number: number): Promise<Holder | null> {
  const text = await readIfPresent(join(stateDir, PREFIX + number));
  try {
    const holder = JSON.parse(text ?? 'null') as Holder | null;
    return holder && Number.isInteger(holder.pid) && holder.pid > 0 ? holder : null;
  } catch {
    return null;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
  const started = await startOf(holder.pid);
  return started === null || holder.started === 'unknown' || started === holder.started;
}

/** `null` where it is unknown (no /proc). */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readBootId();
    // The command name may contain spaces and brackets: fields are counted after its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
    return `${boot}:${fields[19]}`;
  } catch {
    return null;
  }
}
