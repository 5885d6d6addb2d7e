/**
 * Agents on this device: `versions/<sha256>/ota-agent.cjs` (for the launcher's own Node) or
 * `versions/<sha256>/ota-agent` (an executable). A folder appears complete or not at all.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncDirectory } from '../files/durable-file.ts';
import type { AgentVersion } from './launcher-state.ts';

const BUNDLE = 'ota-agent.cjs';
const EXECUTABLE = 'ota-agent';
export const PROGRAM_NAMES: readonly string[] = [BUNDLE, EXECUTABLE];

/** What to start: a file, and the arguments before the agent's own. */
export interface Program {
  file: string;
  args: string[];
}

export async function digestOf(file: string): Promise<AgentVersion> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Stores a copy of a program; durable when it resolves. May be repeated.
 * @param file named as one of {@link PROGRAM_NAMES}
 */
export async function storeVersion(
  home: string,
  version: AgentVersion,
  file: string,
): Promise<void> {
  if (await findProgram(home, version)) return;
  const folder = versionFolder(home, version);
  const temporary = `${folder}.new`;
  await rm(folder, { recursive: true, force: true });
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true, mode: 0o755 });
  const copy = join(temporary, basename(file));
  await copyFile(file, copy);
  await chmod(copy, 0o755);
  const handle = await open(copy, 'r');
  await handle.sync().finally(() => handle.close());
  await syncDirectory(temporary);
  await rename(temporary, folder);
  await syncDirectory(join(home, 'versions'));
}

/** `null` when it is missing, unreadable or damaged. */
export async function findProgram(home: string, version: AgentVersion): Promise<Program | null> {
  for (const name of PROGRAM_NAMES) {
    const file = join(versionFolder(home, version), name);
    try {
      if (!(await lstat(file)).isFile() || (await digestOf(file)) !== version) continue;
    } catch {
      // Missing, or on a part of the disk that cannot be read.
      continue;
    }
    return name === BUNDLE ? { file: process.execPath, args: [file] } : { file, args: [] };
  }
  return null;
}

/** Removes every agent except these. */
export async function pruneVersions(
  home: string,
  keep: readonly (AgentVersion | null)[],
): Promise<void> {
  for (const name of await readdir(join(home, 'versions')).catch(() => [] as string[])) {
    if (!keep.includes(name)) await rm(versionFolder(home, name), { recursive: true, force: true });
  }
}

function versionFolder(home: string, version: AgentVersion): string {
  return join(home, 'versions', version);
}
