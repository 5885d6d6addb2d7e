/** What must hold of a device at rest: exactly the old or the new version, and a server that was told the truth. */
import { readdir } from 'node:fs/promises';
import type { DeviceServer } from '../device-server.ts';
import type { Sandbox } from '../sandbox.ts';

const ENDS = ['completed', 'failed', 'rolled_back', 'skipped'];
const ORDER = ['downloading', 'installing', 'verifying'];

export interface Verdict {
  state: 'old' | 'new' | 'between';
  /** The end the server was told last about the attempt. */
  told: string | undefined;
  /** Everything that is not as it must be. */
  faults: string[];
}

/** Of the files that the update changes; see `Sandbox.picture`. */
export interface Pictures {
  old: string;
  new: string;
}

/** Whether nothing is left to do: the server wants nothing, and the agent has nothing open. */
export async function isAtRest(sandbox: Sandbox, server: DeviceServer): Promise<boolean> {
  if (server.offer !== null || server.rollback !== null) return false;
  return (await sandbox.open()).active === null;
}

export async function judge(
  device: Sandbox,
  server: DeviceServer,
  pictures: Pictures,
): Promise<Verdict> {
  const faults: string[] = [];
  const picture = await device.picture();
  const state = picture === pictures.old ? 'old' : picture === pictures.new ? 'new' : 'between';
  if (state === 'between') faults.push(`files of neither version:\n${picture}`);
  const version = await device.currentVersion();
  if (version !== (state === 'new' ? '2.0.0' : '1.0.0')) {
    faults.push(`calls itself ${version}, files are ${state}`);
  }
  if ((await device.open()).reportsWaiting > 0) faults.push('reports are stuck');
  const left = await readdir(device.state('work'));
  if (left.length > 0) faults.push(`left behind: ${left.join(', ')}`);
  const { statuses } = server;
  const end = server.reports.findLast(({ status }) => ENDS.includes(status));
  const truth = state === 'new' ? 'completed' : 'rolled_back';
  if (end?.status !== truth) {
    faults.push(`${state}, but the server was told ${end?.status ?? 'nothing'}`);
  } else if (end.installed_version !== version) {
    faults.push(`runs ${version}, but the server was told ${end.installed_version}`);
  }
  const wrong = wrongSequence(statuses);
  if (wrong) faults.push(`${wrong}: ${statuses.join(', ')}`);
  return { state, told: end?.status, faults };
}

/**
 * Reports arrive at least once and in order. An attempt begins again only before its script ran, and
 * nothing follows an end. A rollback that was asked for has an end only.
 * @param statuses repeated ones once
 */
export function wrongSequence(statuses: string[]): string | null {
  const end = statuses.findIndex((status) => ENDS.includes(status));
  if (end !== statuses.length - 1) return 'a report behind the end, or none';
  if (statuses.length === 1) return statuses[0] === 'rolled_back' ? null : 'reports lost';
  for (const [index, status] of statuses.slice(0, end).entries()) {
    const before = statuses[index - 1];
    const step = ORDER.indexOf(status) - (before === undefined ? -1 : ORDER.indexOf(before));
    const again = status === 'downloading' && before === 'installing';
    if (step !== 1 && !again) return 'reports lost or out of order';
  }
  const last = statuses[end - 1];
  const enough = statuses[end] === 'completed' ? last === 'verifying' : last !== 'downloading';
  return enough ? null : 'reports lost';
}
