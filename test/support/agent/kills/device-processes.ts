/** Processes of a simulated device: those with its folder in their command line or environment. */
import { readFileSync, readdirSync } from 'node:fs';
import { waitFor } from '../../../../dev/wait-for.ts';

/** @param text what else the command line contains */
function processesOf(folder: string, text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter((pid) => {
      const command = contentOf(pid, 'cmdline');
      if (!command.includes(text)) return false;
      return command.includes(folder) || contentOf(pid, 'environ').includes(folder);
    });
}

/** Empty for a process that has ended. */
function contentOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Ends all of them at once, as a power cut does. */
export async function endProcessesOf(folder: string): Promise<void> {
  const allGone = (): boolean => {
    const running = processesOf(folder, '');
    for (const pid of running) kill(pid);
    return running.length === 0;
  };
  await waitFor(allGone, { every: 1, describe: `no process of ${folder} is running` });
}

/** Resolves when none of them has this in its command line. */
export async function untilNoneRuns(folder: string, text: string): Promise<void> {
  await waitFor(() => processesOf(folder, text).length === 0, {
    every: 1,
    describe: `no process of ${folder} runs ${text}`,
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
