/** Memory and processor time of running processes, as the kernel reports them. */
import { readFile, readdir } from 'node:fs/promises';

import { threadSeconds } from '../processor-time.ts';

export interface Memory {
  /** All in MB. */
  resident: number;
  /** Not shared with other processes. */
  own: number;
  /** Not backed by a file: the kernel cannot drop it when memory is short. */
  anonymous: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    resident: megabytesIn(text, 'Rss'),
    own: megabytesIn(text, 'Private_Clean') + megabytesIn(text, 'Private_Dirty'),
    anonymous: megabytesIn(text, 'Anonymous'),
  };
}

/** The most that was resident since the process started, in MB. */
export async function peakOf(pid: number): Promise<number> {
  return megabytesIn(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmHWM');
}

function megabytesIn(text: string, name: string): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1];
  return (Number(kibibytes ?? Number.NaN) * 1024) / 1e6;
}

export async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

/** Processor time and voluntary context switches of all threads since they started. */
export async function activityOf(
  pids: readonly number[],
): Promise<{ cpuMs: number; wakeUps: number }> {
  let cpuMs = 0;
  let wakeUps = 0;
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      cpuMs += (await threadSeconds(pid, thread)) * 1_000;
      const status = await readFile(`/proc/${pid}/task/${thread}/status`, 'utf8');
      wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
  }
  return { cpuMs, wakeUps };
}
