/** Processor time of processes, as the kernel counts it. */
import { readFile, readdir } from 'node:fs/promises';

/** Unit in which the kernel reports processor time (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

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
export async function threadSeconds(pid: number, thread: string): Promise<number> {
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
