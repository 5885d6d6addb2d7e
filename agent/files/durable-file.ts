/**
 * Files that survive a power cut: written beside their path, flushed, renamed over it, and the folder flushed.
 * After a power cut a reader finds the old content or the new one, never a mixture.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

const TEMPORARY_SUFFIX = '.new';

/** Whether the file was left behind by an interrupted {@link writeDurable}. */
export function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX);
}

/** Flushes a folder's entries. Rejects on file systems that cannot do it. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @param mode permission bits; 0600 by default, since most of what the agent stores is private. */
export async function writeDurable(
  path: string,
  content: string | Buffer,
  mode = 0o600,
): Promise<void> {
  const temporary = path + TEMPORARY_SUFFIX;
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.sync();
  } catch (error) {
    // On a full disk half a file takes up the room that the next try needs.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

export async function removeDurable(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

/** The file's text, or `null` when there is no such file. */
export async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The `code` of a system error (`ENOENT`, `ENOSPC`, …), or `undefined`. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
