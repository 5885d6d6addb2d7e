/**
 * PostgreSQL refuses to run as root. When this process is root, the server runs as the system user
 * `postgres`, which is created where it is missing; otherwise it runs as whoever we are.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SYSTEM_USER = 'postgres';

/** Who runs the server. */
export interface ServerAccount {
  uid: number;
  gid: number;
}

/** `null`: this process is not root, the server runs under its own account. */
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
    // Two processes may create the user at the same time; the loser finds it below.
    reason = error;
  }
  const created = await lookUp();
  if (created) return created;
  throw new Error(
    `PostgreSQL cannot run as root and the system user "${SYSTEM_USER}" could not be created. ` +
      'Create that user, run as another user than root, or set DATABASE_URL to an existing server.',
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
 * Whether the account can enter the folder. Asked of the operating system, as that account, because
 * the answer depends on every folder above, on access lists and on mount options.
 */
export function canEnter(folder: string, account: ServerAccount): boolean {
  const probe = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  return probe.status === 0;
}
