/**
 * Kills what an installation script left running, even after `setsid` or a double fork: it is in the
 * installation's control group where there is one, and children inherit the marker in their environment. Needed
 * before files are restored, or a surviving process could overwrite them.
 */
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { controlGroupMembers, killControlGroup } from './control-group.ts';

/** The environment variable every process of an installation carries. */
export const RUN_MARKER = 'OTA_RUN_ID';
const ROUNDS = 50;

/**
 * Kills every process of an installation, until none is left.
 * @param mark see `installationMark`
 * @returns how many were killed
 * @throws Error when some cannot be killed
 */
export async function killLeftovers(mark: string): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const members = [...(await controlGroupMembers(mark)), ...(await markedProcesses(mark))];
    const alive = new Set(members);
    if (alive.size === 0) return killed.size;
    await killControlGroup(mark);
    for (const pid of alive) {
      killed.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has exited meanwhile.
      }
    }
    await sleep(20);
  }
  throw new Error('processes of the installation script cannot be killed');
}

async function markedProcesses(mark: string): Promise<number[]> {
  const entry = `${RUN_MARKER}=${mark}`;
  const names = await readdir('/proc').catch(() => [] as string[]);
  const found: number[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(entry)) found.push(Number(name));
  }
  return found;
}
