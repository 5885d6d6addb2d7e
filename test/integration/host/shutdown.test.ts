import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';

import { freePort } from '../../../dev/database/free-port.ts';
import { createPluginFolder, type PluginFolder } from '../../support/plugin-folder.ts';
import { startTestHost, type TestHost } from '../../support/running-host.ts';
import { waitFor } from '../../../dev/wait-for.ts';

/** Shares an emitter with the test, to hold requests and to report what happens. */
const PLUGIN = `
  import { Router } from ${JSON.stringify(import.meta.resolve('express'))};
  export async function activate(host) {
    const events = globalThis.shutdownEvents;
    const router = Router()
      .get('/slow', (request, response) => {
        response.once('finish', () => events.emit('answered'));
        events.once('answer', () => response.send('finished'));
        events.emit('received');
      })
      .get('/fast', (request, response) => response.send('fast'))
      .get('/stream', (request, response) => {
        response.type('text/event-stream').write(': open\\n\\n');
      });
    const unmount = host.http.mount('device', router);
    host.lifecycle.onShutdown(async () => {
      events.emit('shutdown');
      throw new Error('a callback that fails stops nothing');
    });
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => { unmount(); events.emit('deactivated'); },
    };
  }
`;

describe('a host that stops', () => {
  let plugin: PluginFolder;
  let host: TestHost;
  let events: EventEmitter;
  let happened: string[];

  beforeEach(async () => {
    events = new EventEmitter();
    (globalThis as Record<string, unknown>)['shutdownEvents'] = events;
    happened = [];
    for (const name of ['shutdown', 'answered', 'deactivated'])
      events.on(name, () => happened.push(name));
    plugin = await createPluginFolder({ 'main.js': PLUGIN });
    host = await startTestHost({ pluginRoot: plugin.root });
  });

  afterEach(async () => {
    await host.dispose();
    await plugin.remove();
    delete (globalThis as Record<string, unknown>)['shutdownEvents'];
  });

  function request(route: string, agent?: Agent): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      get(`${host.url}/api/v1/ota${route}`, { agent: agent ?? false }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      }).on('error', reject);
    });
  }

  it('F70 finishes running requests before it deactivates the plugin', async () => {
    const received = once(events, 'received');
    const slow = request('/slow');
    await received;
    const stopped = host.stop();
    await waitFor(() => happened.includes('shutdown'), { describe: 'the shutdown callback' });
    events.emit('answer');
    expect(await slow).to.deep.equal({ status: 200, body: 'finished' });
    await stopped;
    expect(happened).to.deep.equal(['shutdown', 'answered', 'deactivated']);
  });

  it('F70 rejects new requests on open connections with a 503', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const received = once(events, 'received');
    const slow = request('/slow', agent);
    await received;
    // Waits on the same connection for the slow response.
    const late = request('/fast', agent);
    const stopped = host.stop();
    await waitFor(() => happened.includes('shutdown'), { describe: 'the shutdown callback' });
    events.emit('answer');
    expect(await slow).to.include({ status: 200 });
    const outcome = await late.catch((error: NodeJS.ErrnoException) => error);
    if (outcome instanceof Error) expect(outcome.code).to.match(/ECONNRE/);
    else expect(outcome.status).to.equal(503);
    await stopped;
    agent.destroy();
  });

  it('does not wait for event streams', async () => {
    const opened = new Promise<void>((resolve, reject) => {
      get(`${host.url}/api/v1/ota/stream`, { agent: false }, (response) => {
        response.on('error', () => undefined).resume();
        resolve();
      }).on('error', reject);
    });
    await opened;
    const begin = performance.now();
    await host.stop();
    expect(performance.now() - begin).to.be.below(3_000);
    expect(happened).to.deep.equal(['shutdown', 'deactivated']);
  });

  it('accepts no new connections', async () => {
    await host.stop();
    const problem = await request('/fast').catch((error: NodeJS.ErrnoException) => error);
    expect(problem).to.have.property('code', 'ECONNREFUSED');
  });
});

describe('npm start', () => {
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
    child = spawn(
      process.execPath,
      ['--import=tsx', path.resolve(import.meta.dirname, '../../../dev/host/main.ts')],
      {
        env: { PATH: process.env.PATH, OPS_LOG_LEVEL: 'fatal', ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
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
    await waitFor(() => output.includes('Register a device'), {
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
