/**
 * PostgreSQL refuses to run as root. If this process is root, the server runs as the system user `postgres`,
 * which is created if missing. Otherwise it runs as the current user.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SYSTEM_USER = 'postgres';

/** The account that the server runs as. */
export interface ServerAccount {
  uid: number;
  gid: number;
}

/**
 * `null`: this process is not root, so the server runs as the current user.
 *
 * @throws Error if the system user cannot be created
 */
export async function serverAccount(): Promise<ServerAccount | null> {
  if (process.getuid?.() !== 0) return null;
  const known = await lookUp();
  if (known) return known;
  let reason: unknown;
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      SYSTEM_USER,
    ]);
  } catch (error) {
    // Another process may have created the user at the same time; the next lookup finds it.
    reason = error;
  }
  const created = await lookUp();
  if (created) return created;
  throw new Error(
    `PostgreSQL cannot run as root and the system user "${SYSTEM_USER}" could not be created. ` +
      'Create that user, run as a user other than root, or set DATABASE_URL to an existing server.',
    { cause: reason },
  );
}

async function lookUp(): Promise<ServerAccount | null> {
  try {
    const [uid, gid] = await Promise.all([
      run('id', ['-u', SYSTEM_USER]),
      run('id', ['-g', SYSTEM_USER]),
    ]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/**
 * Whether the account can enter the folder. Tries it as that account, because this depends on all parent
 * folders, access control lists and mount options.
 */
export function canEnter(folder: string, account: ServerAccount): boolean {
  const probe = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  return probe.status === 0;
}
