/** Cleans up after an earlier run, which may have left a running server or its lock file in the data folder. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const STOP_TIMEOUT_MS = 15_000;
const POLL_INTERVAL_MS = 25;

/**
 * Stops a server whose owner was killed, and removes a stale lock file.
 *
 * @param ownerPid process that last started the server; `null` if unknown
 * @throws Error if the owner of the running server is alive
 */
export async function clearLeftoverServer(cluster: string, ownerPid: number | null): Promise<void> {
  const lockFile = path.join(cluster, 'postmaster.pid');
  const pid = await lockHolder(lockFile);
  if (pid === null) return;
  if (!isAlive(pid)) return; // PostgreSQL detects and removes such a stale lock file itself.
  if (!(await servesCluster(pid, cluster))) {
    // After a reboot another process may have this pid, and PostgreSQL would take it for a running server.
    await rm(lockFile, { force: true });
    return;
  }
  if (ownerPid !== null && isAlive(ownerPid)) {
    throw new Error(
      `The PostgreSQL data in ${cluster} is in use by process ${ownerPid}. ` +
        'Stop that process, or set OPS_DATA_DIR to another folder.',
    );
  }
  await stop(pid, cluster);
}

async function lockHolder(lockFile: string): Promise<number | null> {
  const text = await readFile(lockFile, 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}

/** Whether the process exists, even if this process may not signal it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() =>
    commandLineFromPs(pid),
  );
  return commandLine.includes(cluster);
}

/** For systems without /proc. */
async function commandLineFromPs(pid: number): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', `${pid}`]);
  return stdout;
}

async function stop(pid: number, cluster: string): Promise<void> {
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) {
      throw new Error(
        `An earlier PostgreSQL server (process ${pid}) still uses ${cluster} and did not stop. ` +
          `Stop it with "kill -QUIT ${pid}" and start again.`,
      );
    }
    await delay(POLL_INTERVAL_MS);
  }
}
