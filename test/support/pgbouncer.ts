import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../backend/server/postgres/free-port.ts';
import { serverAccount } from '../../backend/server/postgres/postgres-account.ts';
import { findProgram, PGBOUNCER } from '../../dev/programs.ts';

export interface Pooler {
  /** Connection string of the database through the pooler. */
  url: string;
  stop(): Promise<void>;
}

/**
 * A pgbouncer in front of one database.
 *
 * @returns `null` if it is not installed
 */
export async function startPgbouncer(
  databaseUrl: string,
  mode: 'session' | 'transaction',
): Promise<Pooler | null> {
  const program = findProgram(PGBOUNCER);
  if (program === null) return null;
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const folder = await mkdtemp(path.join(tmpdir(), 'ops-center-pooler-'));
  const listenPort = await freePort();
  const files = {
    'users.txt': `"${username}" "${decodeURIComponent(password)}"\n`,
    'pgbouncer.ini': `
[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
auth_type = scram-sha-256
auth_file = ${folder}/users.txt
pool_mode = ${mode}
unix_socket_dir =
`,
  };
  // It does not run as root.
  const account = await serverAccount();
  if (account) await chown(folder, account.uid, account.gid);
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(folder, name), text);
    if (account) await chown(path.join(folder, name), account.uid, account.gid);
  }
  const child = spawn(program, [path.join(folder, 'pgbouncer.ini')], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...account,
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    void ended.then(() => reject(new Error(`pgbouncer did not start:\n${lines.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes('process up')) resolve();
    });
  });
  const killWithRun = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithRun);
  return {
    url: `postgres://${username}:${password}@127.0.0.1:${listenPort}${pathname}`,
    async stop() {
      process.off('exit', killWithRun);
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
