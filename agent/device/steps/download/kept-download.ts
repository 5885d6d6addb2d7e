/**
 * The download of an attempt that did not complete, kept for the next attempt at the same package. One at a
 * time, below `download/` in the state folder; the first thing to be dropped when room is needed.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfPresent } from '../../../files/durable-file.ts';
import { PACKAGE_FILE, keptDownloadDir, packageInfoFile } from '../../../files/state-folder.ts';

/** Replaces what was kept before. */
export async function keepDownload(stateDir: string, file: string): Promise<void> {
  const info = await readIfPresent(packageInfoFile(file));
  if (info === null) return;
  await dropKept(stateDir);
  await mkdir(keptDownloadDir(stateDir), { recursive: true, mode: 0o700 });
  await move(file, join(keptDownloadDir(stateDir), PACKAGE_FILE));
}

/** Moves what is kept of this package to the folder of the attempt; a part of another package is dropped. */
export async function resumeKept(stateDir: string, file: string, checksum: string): Promise<void> {
  const kept = join(keptDownloadDir(stateDir), PACKAGE_FILE);
  const info = await readIfPresent(packageInfoFile(kept));
  if (info === null || (await readIfPresent(packageInfoFile(file))) !== null) return;
  if (checksumIn(info) === checksum) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await move(kept, file);
  }
  await dropKept(stateDir);
}

export async function dropKept(stateDir: string): Promise<void> {
  await rm(keptDownloadDir(stateDir), { recursive: true, force: true });
}

/** The part first, then its description: after a power cut in between, the part has none, and is dropped. */
async function move(from: string, to: string): Promise<void> {
  await rename(from, to);
  await rename(packageInfoFile(from), packageInfoFile(to));
}

function checksumIn(info: string): string | null {
  try {
    return (JSON.parse(info) as { checksum: string }).checksum;
  } catch {
    return null;
  }
}
