/** What an earlier run may have left on a data folder: a server still running, or only its lock file. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const STOP_TIMEOUT_MS = 15_000;
const LOOK_AGAIN_MS = 25;

/**
 * Makes way for a new server. An orphan, whose owner was killed, is stopped.
 *
 * @param ownerPid process that started the server last; `null` when that is not known
 * @throws when a live process owns the running server
 */
export async function clearLeftoverServer(cluster: string, ownerPid: number | null): Promise<void> {
  const lockFile = path.join(cluster, 'postmaster.pid');
  const pid = await lockHolder(lockFile);
  if (pid === null) return;
  if (!isAlive(pid)) return; // PostgreSQL sees that by itself and checks more than we could.
  if (!(await servesCluster(pid, cluster))) {
    // After a reboot the number may belong to any process, which PostgreSQL takes for a live server.
    await rm(lockFile, { force: true });
    return;
  }
  if (ownerPid !== null && isAlive(ownerPid)) {
    throw new Error(
      `The PostgreSQL data in ${cluster} is in use by process ${ownerPid}. ` +
        'Stop that process, or choose another data folder with OPS_DATA_DIR.',
    );
  }
  await stop(pid, cluster);
}

async function lockHolder(lockFile: string): Promise<number | null> {
  const text = await readFile(lockFile, 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => listed(pid));
  return commandLine.includes(cluster);
}

/** Where there is no /proc. */
async function listed(pid: number): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', `${pid}`]);
  return stdout;
}

async function stop(pid: number, cluster: string): Promise<void> {
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) {
      throw new Error(
        `An earlier PostgreSQL server (process ${pid}) still uses ${cluster} and does not stop. ` +
          `Stop it with "kill -QUIT ${pid}" and start again.`,
      );
    }
    await delay(LOOK_AGAIN_MS);
  }
}
