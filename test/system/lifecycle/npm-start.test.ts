/** `npm start` and `npm run build` as operators run them: as processes that get signals. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { ROOT } from '../../support/repository.ts';

const PAGE = path.join(ROOT, 'dist/frontend');
const START_TIMEOUT_MS = 60_000;
const run = promisify(execFile);

describe('npm start', function () {
  this.timeout(120_000);
  const running: ChildProcess[] = [];
  const folders: string[] = [];

  before(() => run('npm', ['run', 'build'], { cwd: ROOT }));
  after(async () => {
    for (const child of running) {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      }
    }
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  async function start(): Promise<{ npm: ChildProcess; url: string; lockFile: string }> {
    const folder = await mkdtemp(path.join(tmpdir(), 'npm-start-'));
    folders.push(folder);
    const port = await freePort();
    const npm = spawn('npm', ['start', '--ignore-scripts'], {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        PORT: String(port),
        OPS_DATA_DIR: path.join(folder, 'data'),
        OPS_LOG_LEVEL: 'warn',
      },
    });
    running.push(npm);
    let output = '';
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    await waitFor(() => output.includes('is running at'), {
      timeout: START_TIMEOUT_MS,
      describe: () => `the host runs:\n${output}`,
    });
    const cluster = await realpath(path.join(folder, 'data/postgres'));
    const lockFile = path.join(cluster, 'cluster/postmaster.pid');
    expect(existsSync(lockFile)).to.equal(true);
    return { npm, url: `http://127.0.0.1:${port}`, lockFile };
  }

  /** Whether the database has stopped by the time `npm start` exits. */
  async function databaseStoppedFirst(npm: ChildProcess, lockFile: string): Promise<boolean> {
    await once(npm, 'exit');
    return !existsSync(lockFile);
  }

  it('G48 exits on SIGTERM after the database has stopped', async () => {
    const { npm, lockFile } = await start();
    const ended = databaseStoppedFirst(npm, lockFile);
    npm.kill('SIGTERM');
    expect(await ended).to.equal(true);
  });

  it('G48 exits on Ctrl+C, which all its processes receive, after the database has stopped', async () => {
    const { npm, lockFile } = await start();
    const ended = databaseStoppedFirst(npm, lockFile);
    for (let times = 0; times < 3; times += 1) process.kill(-(npm.pid ?? 0), 'SIGINT');
    expect(await ended).to.equal(true);
  });

  it('G48 keeps serving its page while the same checkout is built', async () => {
    const { npm, url, lockFile } = await start();
    const chunk = path.join(PAGE, 'chunks/of-an-open-page.js');
    await writeFile(chunk, 'export {};\n');
    try {
      const entry = path.join(PAGE, 'page.js');
      await rm(path.join(ROOT, 'dist/.built/page.json'));
      const building = run('npm', ['run', 'build'], { cwd: ROOT });
      let done = false;
      void building.finally(() => (done = true)).catch(() => undefined);
      const answers = new Set<number>();
      while (!done) {
        answers.add((await fetch(`${url}/plugins/ops-center-ota/page.js`)).status);
        expect(existsSync(entry) && existsSync(path.join(ROOT, 'dist/backend/plugin.js'))).to.equal(
          true,
        );
      }
      const { stdout } = await building;
      expect(stdout).to.include('page: built').and.include('node: up to date');
      expect(existsSync(chunk)).to.equal(true);
      expect([...answers]).to.have.length(1);
    } finally {
      await rm(chunk, { force: true });
    }
    const ended = databaseStoppedFirst(npm, lockFile);
    npm.kill('SIGTERM');
    expect(await ended).to.equal(true);
  });

  it('G48 does not build what is up to date', async () => {
    const entry = path.join(PAGE, 'page.js');
    const before = (await stat(entry)).mtimeMs;
    const { stdout } = await run('npm', ['run', 'build'], { cwd: ROOT });
    expect(stdout).to.include('node: up to date').and.include('agent: up to date');
    expect(stdout).to.include('page: up to date');
    expect((await stat(entry)).mtimeMs).to.equal(before);
  });
});
