/**
 * The data folder of an embedded server:
 *
 *     <folder>/cluster       the server's files; complete or missing
 *     <folder>/server.json   the password, and the process that last started the server
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { canEnter, type ServerAccount } from './postgres-account.ts';

/** Where data is stored if the server account cannot enter the requested folder. */
const REACHABLE_ROOT = '/var/lib/ops-center-ota';
/** File in the relocated folder with the path of the link to it. */
const LINK_FILE = 'linked-from';
const DRAFT_PREFIX = 'cluster.draft-';

export interface DataDirectory {
  /** Path of the folder, without symbolic links. */
  folder: string;
  cluster: string;
}

/** The content of `server.json`. */
export interface ServerRecord {
  password: string;
  /** Process that last started the server. */
  ownerPid: number;
}

/**
 * Creates the folder, accessible to the server account only.
 *
 * @throws Error if the server account cannot enter it and it cannot be relocated
 */
export async function prepareDataDirectory(
  requested: string,
  account: ServerAccount | null,
): Promise<DataDirectory> {
  const parent = path.dirname(requested);
  await mkdir(parent, { recursive: true });
  const folder =
    account === null || canEnter(parent, account)
      ? requested
      : await relocated(requested, parent, account);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  if (account) await chown(folder, account.uid, account.gid);
  const real = await realpath(folder);
  await removeDrafts(real);
  return { folder: real, cluster: path.join(real, 'cluster') };
}

/**
 * Creates the folder elsewhere, and a link to it at the requested path. Removing the link still starts with
 * an empty database.
 */
async function relocated(
  requested: string,
  parent: string,
  account: ServerAccount,
): Promise<string> {
  const found = await lstat(requested).catch(() => null);
  if (found?.isSymbolicLink()) return readlink(requested);
  if (found) await rmdir(requested).catch(unreachable(requested, parent));
  await mkdir(REACHABLE_ROOT, { recursive: true });
  await removeAbandoned();
  const target = await mkdtemp(path.join(REACHABLE_ROOT, `${path.basename(requested)}-`));
  if (!canEnter(REACHABLE_ROOT, account)) unreachable(REACHABLE_ROOT, path.dirname(target))();
  await symlink(target, requested);
  // Written last: folders without this file are never removed as abandoned.
  await writeFile(path.join(target, LINK_FILE), requested);
  return target;
}

/**
 * Removes data folders whose link was removed. If the link's parent folder is missing too, the data is kept,
 * because the parent may be on a disk that is not mounted, unless it was a temporary folder.
 */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(REACHABLE_ROOT)) {
    const target = path.join(REACHABLE_ROOT, name);
    const link = await readFile(path.join(target, LINK_FILE), 'utf8').catch(() => null);
    if (link === null || (await readlink(link).catch(() => null)) === target) continue;
    const mayComeBack =
      !(await exists(path.dirname(link))) && !link.startsWith(tmpdir() + path.sep);
    const inUse = await exists(path.join(target, 'cluster', 'postmaster.pid'));
    if (!mayComeBack && !inUse) await rm(target, { recursive: true, force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function unreachable(folder: string, parent: string): (cause?: unknown) => never {
  return (cause) => {
    throw new Error(
      `The account that runs PostgreSQL cannot enter ${folder}. Give it access to ${parent}, ` +
        'move the data, or set DATABASE_URL to an existing server.',
      { cause },
    );
  };
}

/** Removes what interrupted initializations left. */
async function removeDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(DRAFT_PREFIX)) await rm(path.join(folder, name), { recursive: true });
  }
}

export function clusterExists(directory: DataDirectory): Promise<boolean> {
  return exists(directory.cluster);
}

/** Lets `fill` create the cluster in a draft folder, and renames it when it is complete. */
export async function createCluster(
  directory: DataDirectory,
  account: ServerAccount | null,
  fill: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = await mkdtemp(path.join(directory.folder, DRAFT_PREFIX));
  if (account) await chown(draft, account.uid, account.gid);
  await fill(draft);
  await rename(draft, directory.cluster);
}

/** Passes a password to a program that only reads it from a file. */
export async function withPasswordFile(
  directory: DataDirectory,
  account: ServerAccount | null,
  password: string,
  use: (file: string) => Promise<void>,
): Promise<void> {
  const file = path.join(directory.folder, 'password.draft');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  try {
    if (account) await chown(file, account.uid, account.gid);
    await use(file);
  } finally {
    await rm(file);
  }
}

export async function readServerRecord(directory: DataDirectory): Promise<ServerRecord | null> {
  const text = await readFile(recordFile(directory), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as ServerRecord);
}

export async function writeServerRecord(
  directory: DataDirectory,
  record: ServerRecord,
): Promise<void> {
  const draft = `${recordFile(directory)}.draft`;
  await writeFile(draft, JSON.stringify(record), { mode: 0o600 });
  await rename(draft, recordFile(directory));
}

function recordFile(directory: DataDirectory): string {
  return path.join(directory.folder, 'server.json');
}
