import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';

import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { ROOT } from '../../support/repository.ts';

describe('the host process', () => {
  let folder: string;
  let child: ChildProcess;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ops-center-start-'));
    await chmod(folder, 0o711);
  });

  afterEach(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  function start(environment: Record<string, string>): ChildProcess {
    child = spawn(process.execPath, ['--import=tsx', path.join(ROOT, 'dev/host/main.ts')], {
      env: { PATH: process.env.PATH, OPS_LOG_LEVEL: 'fatal', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return child;
  }

  it('needs no services, prints a sign-in link, and exits on SIGTERM', async function () {
    this.timeout(60_000);
    const port = await freePort();
    const host = start({ PORT: String(port), OPS_DATA_DIR: path.join(folder, 'data') });
    const ended = once(host, 'exit');
    let output = '';
    host.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    host.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitFor(() => output.includes('register a device'), {
      timeout: 50_000,
      describe: () => `the start message; so far: ${output}`,
    });
    const link = /http:\S+\/login\?code=\S+/.exec(output)?.[0] ?? '';
    const answer = await fetch(link, { redirect: 'manual' });
    expect(answer.status).to.equal(303);
    expect(answer.headers.get('location')).to.equal('/admin');

    host.kill('SIGTERM');
    expect(await ended).to.deep.equal([0, null]);
  });

  it('fails with the names of all invalid settings', async () => {
    const host = start({ PORT: 'http', OPS_ROLE: 'boss', OPS_ADMIN_TOKEN: 'short' });
    const ended = once(host, 'exit');
    const output = await text(host.stderr!);
    expect(await ended).to.deep.equal([1, null]);
    expect(output).to.include('PORT').and.include('OPS_ROLE').and.include('OPS_ADMIN_TOKEN');
  });
});
