/**
 * A control group (cgroup v2) for each installation: it holds everything the script starts, and a new session,
 * a double fork or a clean environment does not leave it. Where the agent may not create groups, processes are
 * found by the marker in their environment only.
 */
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorCode } from '../../files/durable-file.ts';
import { agentMark } from './installation-mark.ts';

const PREFIX = 'ota-install-';

/**
 * The folder of a new or existing group for this installation, or `null` where none can be created.
 * @param mark see `installationMark`
 */
export async function makeControlGroup(mark: string): Promise<string | null> {
  const group = await controlGroupOf(mark);
  if (group === null) return null;
  try {
    await mkdir(group);
    return group;
  } catch (error) {
    return errorCode(error) === 'EEXIST' ? group : null;
  }
}

/** The processes of this installation's group, except the agent itself. */
export async function controlGroupMembers(mark: string): Promise<number[]> {
  const group = await controlGroupOf(mark);
  if (group === null) return [];
  const text = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
  const pids = text.split('\n').map(Number);
  // The kernel lists a process of another process-id namespace as 0.
  return pids.filter((pid) => pid > 0 && pid !== process.pid);
}

/**
 * Kills the whole group at once, faster than it can fork. The caller still has to check what is left: kernels
 * before 5.14 cannot do it, and an agent that the script started is a member itself.
 */
export async function killControlGroup(mark: string): Promise<void> {
  const group = await controlGroupOf(mark);
  if (group === null || (await ownGroup()) === group) return;
  await writeFile(join(group, 'cgroup.kill'), '1').catch(() => undefined);
}

/** Removes the groups of this agent's finished installations; those with processes in them stay. */
export async function removeEmptyControlGroups(stateDir: string): Promise<void> {
  const base = await baseGroup();
  if (base === null) return;
  const own = `${PREFIX}${agentMark(stateDir)}-`;
  const names = await readdir(base).catch(() => [] as string[]);
  for (const name of names.filter((one) => one.startsWith(own))) {
    await rmdir(join(base, name)).catch(() => undefined);
  }
}

async function controlGroupOf(mark: string): Promise<string | null> {
  const base = await baseGroup();
  return base === null ? null : join(base, PREFIX + mark);
}

/** The agent's own group; for an agent that an installation started, the parent of that installation's group. */
async function baseGroup(): Promise<string | null> {
  const own = await ownGroup();
  if (own === null) return null;
  const parts = own.split('/');
  const nested = parts.findIndex((part) => part.startsWith(PREFIX));
  return nested === -1 ? own : parts.slice(0, nested).join('/');
}

async function ownGroup(): Promise<string | null> {
  try {
    const [cgroup, mountinfo] = await Promise.all([
      readFile('/proc/self/cgroup', 'utf8'),
      readFile('/proc/self/mountinfo', 'utf8'),
    ]);
    return unifiedGroupFolder(cgroup, mountinfo);
  } catch {
    return null;
  }
}

/**
 * Where the group of a process lies in the file system. Pure.
 * @param cgroup `/proc/<pid>/cgroup`; `0::/system.slice/ota-agent.service` is its line of version 2
 * @param mountinfo `/proc/<pid>/mountinfo`, see proc_pid_mountinfo(5):
 *   `36 35 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw`
 * @returns `null` without version 2, or when the mount shows another part of the tree
 */
export function unifiedGroupFolder(cgroup: string, mountinfo: string): string | null {
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  const line = mountinfo.split('\n').find((one) => one.includes(' - cgroup2 '));
  const [, , , root, point] = line?.split(' ') ?? [];
  if (!path || !root || !point) return null;
  if (root === '/') return resolve(point, `.${path}`);
  const inside = path === root || path.startsWith(`${root}/`);
  return inside ? resolve(point, `.${path.slice(root.length)}`) : null;
}
