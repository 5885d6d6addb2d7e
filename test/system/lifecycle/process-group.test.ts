/** `OPS_PROCESSES=2`: two processes of the host behind one port. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { expect } from 'chai';

import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { ROOT } from '../../support/repository.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';

const DEPLOYMENTS = '/api/v1/admin/ota/deployments';
const START_TIMEOUT_MS = 60_000;

describe('several processes behind one port', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let host: ChildProcess;
  let url: string;
  let output: string[];
  /** Process ids of the last answered requests. */
  let answeredBy: number[];

  beforeEach(async () => {
    // Without the plugin's tables, so that the processes compete for the migration, too.
    database = await createTestDatabase({ schema: 'host' });
  });

  afterEach(async () => {
    host.kill('SIGKILL');
    await database.drop();
  });

  async function start(environment: Record<string, string> = {}): Promise<void> {
    const port = await freePort();
    output = [];
    answeredBy = [];
    url = `http://127.0.0.1:${port}`;
    host = spawn(process.execPath, ['--import=tsx', path.join(ROOT, 'dev/host/main.ts')], {
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        DATABASE_URL: database.connectionString,
        OPS_PROCESSES: '2',
        OPS_LOG_LEVEL: 'debug',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [host.stdout, host.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', record);
    }
  }

  function record(line: string): void {
    output.push(line);
    if (!line.startsWith('{')) return;
    const { pid, msg } = JSON.parse(line) as { pid: number; msg: string };
    if (msg === 'request answered') answeredBy.push(pid);
  }

  async function startTwo(): Promise<string> {
    await start();
    await waitFor(
      () => host.exitCode ?? output.some((line) => line.includes('register a device')),
      {
        timeout: START_TIMEOUT_MS,
        describe: () => `the start message; so far:\n${output.join('\n')}`,
      },
    );
    const at = output.findIndex((line) => line.startsWith('Admin token'));
    return output[at + 1]?.trim() ?? '';
  }

  /** Sends requests over new connections. Returns their statuses and the processes that answered. */
  async function send(token: string, count = 8): Promise<{ statuses: number[]; pids: number[] }> {
    answeredBy = [];
    const statuses: number[] = [];
    for (let sent = 0; sent < count; sent += 1) {
      const answer = await fetch(url + DEPLOYMENTS, {
        headers: { authorization: `Bearer ${token}`, connection: 'close' },
      });
      await answer.arrayBuffer();
      statuses.push(answer.status);
    }
    await waitFor(() => answeredBy.length >= count, { describe: 'each answer is in the log' });
    return { statuses: [...new Set(statuses)], pids: [...new Set(answeredBy)].sort() };
  }

  it('answer with the one generated token, which the start message contains once', async () => {
    const token = await startTwo();
    const { statuses, pids } = await send(token);
    expect(statuses).to.deep.equal([200]);
    expect(pids).to.have.length(2).and.not.include(host.pid);
    expect(pids).to.have.members(await childrenOf(host));
    expect(output.filter((line) => line.startsWith('Ops-Center is running'))).to.have.length(1);
    const rows = await database.knex('user_tokens').count<{ count: string }[]>();
    expect(rows).to.deep.equal([{ count: '1' }]);
  });

  it('answer when one was killed, which is replaced, and with the same token', async () => {
    const token = await startTwo();
    const [killed = 0, other] = await childrenOf(host);
    process.kill(killed, 'SIGKILL');
    await waitFor(() => output.some((line) => line.includes('Replacing a process that exited')), {
      describe: 'the supervising process notices',
    });
    const meanwhile = await send(token);
    expect(meanwhile.statuses).to.deep.equal([200]);
    expect(meanwhile.pids).to.include(other).and.not.include(killed);
    const both = await waitFor(
      async () => {
        const { statuses, pids } = await send(token);
        expect(statuses).to.deep.equal([200]);
        return pids.length === 2 && pids;
      },
      { timeout: START_TIMEOUT_MS, describe: 'the replacement answers' },
    );
    expect(both).to.include(other).and.not.include(killed);
  });

  it('stop on SIGTERM with exit status 0 and leave no process', async () => {
    await startTwo();
    const children = await childrenOf(host);
    const ended = once(host, 'exit');
    host.kill('SIGTERM');
    expect(await ended).to.deep.equal([0, null]);
    expect(await alive(children)).to.deep.equal([]);
    expect(output.join('\n')).to.not.include('Exiting before everything has stopped');
  });

  it('stop on SIGTERM while they start', async () => {
    await start();
    let children: number[] = [];
    await waitFor(async () => (children = await childrenOf(host)).length === 2, {
      timeout: START_TIMEOUT_MS,
      describe: 'the processes exist',
    });
    const ended = once(host, 'exit');
    host.kill('SIGTERM');
    expect(await ended).to.deep.equal([0, null]);
    expect(await alive(children)).to.deep.equal([]);
  });

  it('do not outlive the supervising process', async () => {
    await startTwo();
    const children = await childrenOf(host);
    host.kill('SIGKILL');
    await waitFor(async () => (await alive(children)).length === 0, {
      timeout: 20_000,
      describe: 'the processes have exited',
    });
  });

  it('fail together if one cannot start', async () => {
    await start({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
    expect(await once(host, 'exit')).to.deep.equal([1, null]);
    expect(output.join('\n')).to.include('Ops-Center failed to start');
  });
});

async function childrenOf({ pid }: ChildProcess): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** Those that run. The command line of a process that nobody has waited for is empty. */
async function alive(pids: readonly number[]): Promise<number[]> {
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_pid, index) => commands[index] !== '');
}
