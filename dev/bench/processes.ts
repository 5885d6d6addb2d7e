/** Memory and processor time of running processes, as the kernel reports them. */
import { readFile, readdir } from 'node:fs/promises';

/** Unit in which the kernel reports processor time (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

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

interface ProcessStat {
  parent: number;
  /** Processor time since the process started, in seconds. */
  seconds: number;
  /** That of children which have exited. */
  exitedChildrenSeconds: number;
}

/** Processor time of all threads of a process since it started, in seconds. */
export async function processorSeconds(pid: number): Promise<number> {
  return (await statOf(pid)).seconds;
}

/** Processor time of a process and its children, including those that have exited, in seconds. */
export async function processorSecondsWithChildren(pid: number): Promise<number> {
  const own = await statOf(pid);
  let sum = own.seconds + own.exitedChildrenSeconds;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // A process that exits meanwhile is counted by its parent the next time.
    const stat = await statOf(Number(entry)).catch(() => null);
    if (stat?.parent === pid) sum += stat.seconds;
  }
  return sum;
}

async function statOf(pid: number): Promise<ProcessStat> {
  return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** Processor time of one thread of a process since it started, in seconds. */
async function threadSeconds(pid: number, thread: string): Promise<number> {
  return parseStat(await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')).seconds;
}

function parseStat(text: string): ProcessStat {
  // The second field, the name in parentheses, may contain spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (from: number): number =>
    (Number(fields[from]) + Number(fields[from + 1])) / TICKS_PER_SECOND;
  return { parent: Number(fields[1]), seconds: seconds(11), exitedChildrenSeconds: seconds(13) };
}

/** The parent of a process. */
export async function parentOf(pid: number): Promise<number> {
  return (await statOf(pid)).parent;
}
