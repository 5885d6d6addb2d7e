/**
 * A PostgreSQL server as a child process, from the programs that npm installed. It listens on 127.0.0.1 only,
 * without a socket file, and stops when this process ends, even by SIGKILL.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import path from 'node:path';

import {
  clusterExists,
  createCluster,
  prepareDataDirectory,
  readServerRecord,
  withPasswordFile,
  writeServerRecord,
  type DataDirectory,
  type ServerRecord,
} from './data-directory.ts';
import { freePort } from './free-port.ts';
import { clearLeftoverServer } from './leftover-server.ts';
import { serverAccount, type ServerAccount } from './postgres-account.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { ProgramOutput } from './program-output.ts';
import {
  PortTakenError,
  programEnvironment,
  runServer,
  type ServerCommand,
  type ServerProcess,
  type StopMode,
} from './server-process.ts';

const SUPERUSER = 'postgres';
const PORT_ATTEMPTS = 5;

/** Faster, but the data does not survive a power cut. */
const THROWAWAY_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_connections: '300',
};

export interface EmbeddedPostgresOptions {
  dataDir: string;
  /** Default: a free port. */
  port?: number;
  /** False: the data does not survive a power cut, and is removed when the server stops. */
  persistent: boolean;
  /** Additional settings, as in postgresql.conf. */
  settings?: Record<string, string>;
  /** Called with the last lines of the log if the server exits unexpectedly. */
  onCrash?: (report: string) => void;
}

export interface EmbeddedPostgres {
  port: number;
  /** Connection string of one of its databases, as superuser. */
  connectionString(database?: string): string;
  /**
   * `fast` closes all connections and writes a checkpoint; `immediate` acts like a crash. Idempotent.
   */
  stop(mode?: StopMode): Promise<void>;
}

/** @throws Error if the server cannot be set up or does not start; the message says how to fix it */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const account = await serverAccount();
  const binaries = await postgresBinaries(account);
  const directory = await prepareDataDirectory(path.resolve(options.dataDir), account);
  const record = await openCluster(binaries, account, directory);
  const command = {
    postgres: binaries.postgres,
    account,
    cluster: directory.cluster,
    settings: { ...(options.persistent ? {} : THROWAWAY_SETTINGS), ...options.settings },
    onCrash: options.onCrash,
  };
  const { server, port } = await startOnPort(command, options.port);
  await writeServerRecord(directory, { ...record, ownerPid: process.pid });
  return {
    port,
    connectionString: (database = 'postgres') =>
      `postgres://${SUPERUSER}:${record.password}@127.0.0.1:${port}/${database}`,
    async stop(mode = 'fast') {
      await server.stop(mode);
      if (options.persistent) return;
      await rm(directory.folder, { recursive: true, force: true });
      await rm(options.dataDir, { force: true });
    },
  };
}

/** Finds or creates the cluster, and stops a server that still uses it. */
async function openCluster(
  binaries: PostgresBinaries,
  account: ServerAccount | null,
  directory: DataDirectory,
): Promise<ServerRecord> {
  const record = await readServerRecord(directory);
  if (await clusterExists(directory)) {
    if (record === null) {
      throw new Error(
        `${directory.folder} contains a PostgreSQL cluster but not its password (server.json). ` +
          'Restore that file, or remove the folder to start with an empty database.',
      );
    }
    await clearLeftoverServer(directory.cluster, record.ownerPid);
    return record;
  }
  const fresh = { password: randomBytes(24).toString('base64url'), ownerPid: process.pid };
  await writeServerRecord(directory, fresh);
  await createCluster(directory, account, (draft) =>
    withPasswordFile(directory, account, fresh.password, (passwordFile) =>
      initialize(binaries.initdb, account, draft, passwordFile),
    ),
  );
  return fresh;
}

async function initialize(
  initdb: string,
  account: ServerAccount | null,
  cluster: string,
  passwordFile: string,
): Promise<void> {
  const child = spawn(
    initdb,
    [
      `--pgdata=${cluster}`,
      `--username=${SUPERUSER}`,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      // The same collation on every machine, whatever locales are installed.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
      '--no-sync',
    ],
    { ...account, cwd: '/', env: programEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const output = new ProgramOutput(child);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) {
    throw new Error(`PostgreSQL could not initialize its data in ${cluster}:\n${output.tail()}`);
  }
}

async function startOnPort(
  command: Omit<ServerCommand, 'port'>,
  wanted: number | undefined,
): Promise<{ server: ServerProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    try {
      return { server: await runServer({ ...command, port }), port };
    } catch (error) {
      const canRetry = error instanceof PortTakenError && wanted === undefined;
      if (!canRetry || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}
