import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import pg from 'pg';

import { startEmbeddedPostgres } from '../../../backend/server/postgres/embedded-postgres.ts';
import { isAlive } from '../../../backend/server/postgres/leftover-server.ts';
import { waitFor } from '../../../dev/wait-for.ts';

describe('embedded PostgreSQL', () => {
  let folder: string;
  let dataDir: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ops-center-embedded-'));
    // The account that the server runs as must be able to enter.
    await chmod(folder, 0o711);
    dataDir = path.join(folder, 'postgres');
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function query(connectionString: string, statement: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  async function serverPid(): Promise<number> {
    const lock = await readFile(path.join(dataDir, 'cluster', 'postmaster.pid'), 'utf8');
    return Number(lock.split('\n')[0]);
  }

  it('keeps its rows after a crash', async () => {
    const first = await startEmbeddedPostgres({ dataDir, persistent: true });
    await query(first.connectionString(), 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop('immediate');

    const second = await startEmbeddedPostgres({ dataDir, persistent: true, port: first.port });
    expect(second.connectionString()).to.equal(first.connectionString());
    expect(await query(second.connectionString(), 'SELECT * FROM kept')).to.deep.equal([
      { answer: 42 },
    ]);
    await second.stop();
  });

  it('leaves nothing behind if it is not persistent', async () => {
    const server = await startEmbeddedPostgres({ dataDir, persistent: false });
    const pid = await serverPid();
    await server.stop();
    await server.stop();
    expect(isAlive(pid)).to.equal(false);
    const missing = await readFile(path.join(dataDir, 'server.json')).catch(
      (error: unknown) => error,
    );
    expect(missing).to.have.property('code', 'ENOENT');
  });

  it('rejects a folder that another process uses, and names the process', async () => {
    const server = await startEmbeddedPostgres({ dataDir, persistent: true });
    const error = await startEmbeddedPostgres({ dataDir, persistent: true }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
    expect((error as Error).message).to.include(`in use by process ${process.pid}`);
    await server.stop();
  });

  it('requires the password', async () => {
    const server = await startEmbeddedPostgres({ dataDir, persistent: false });
    const intruder = server.connectionString().replace(/:[^:@]+@/, ':guess@');
    const error = await query(intruder, 'SELECT 1').catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', '28P01');
    await server.stop();
  });

  it('stops if its owner is killed, and can be started again', async () => {
    const module = new URL('../../../backend/server/postgres/embedded-postgres.ts', import.meta.url)
      .href;
    const script = `
      const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
      await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, persistent: true });
      console.log('started');
      setInterval(() => {}, 1000);
    `;
    const owner = spawn(
      process.execPath,
      ['--import=tsx', '--input-type=module', '--eval', script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(owner.stdout, 'data');
    const pid = await serverPid();
    owner.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), { describe: `the server (process ${pid}) stops` });

    const again = await startEmbeddedPostgres({ dataDir, persistent: true });
    expect(await query(again.connectionString(), 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    await again.stop();
  });

  it('run as root, keeps data elsewhere if its account cannot access the folder', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    await chmod(folder, 0o700);
    const first = await startEmbeddedPostgres({ dataDir, persistent: true });
    await query(first.connectionString(), 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    const elsewhere = await readlink(dataDir);

    const again = await startEmbeddedPostgres({ dataDir, persistent: true });
    expect(await query(again.connectionString(), 'SELECT * FROM kept')).to.have.length(1);
    await again.stop();

    await rm(dataDir);
    const fresh = await startEmbeddedPostgres({ dataDir, persistent: false });
    expect(await lstat(elsewhere).catch((error: unknown) => error)).to.have.property(
      'code',
      'ENOENT',
    );
    await fresh.stop();
  });

  it('reports a crash of the server', async () => {
    let report: string | undefined;
    await startEmbeddedPostgres({
      dataDir,
      persistent: true,
      onCrash: (text) => {
        report = text;
      },
    });
    process.kill(await serverPid(), 'SIGQUIT');
    await waitFor(() => report?.includes('shut'), { describe: 'the crash is reported' });
  });
});
