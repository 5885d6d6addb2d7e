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

/** Shares an emitter with the test, to hold requests and to tell what happens. */
const PLUGIN = `
  import { Router } from ${JSON.stringify(import.meta.resolve('express'))};
  export async function activate(host) {
    const stage = globalThis.shutdownStage;
    const router = Router()
      .get('/slow', (request, response) => {
        response.once('finish', () => stage.emit('answered'));
        stage.once('answer', () => response.send('finished'));
        stage.emit('asked');
      })
      .get('/fast', (request, response) => response.send('fast'))
      .get('/stream', (request, response) => {
        response.type('text/event-stream').write(': open\\n\\n');
      });
    const unmount = host.http.mount('device', router);
    host.lifecycle.onShutdown(async () => {
      stage.emit('shutdown');
      throw new Error('a callback that fails stops nothing');
    });
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => { unmount(); stage.emit('deactivated'); },
    };
  }
`;

describe('stopping the host', () => {
  let plugin: PluginFolder;
  let host: TestHost;
  let stage: EventEmitter;
  let happened: string[];

  beforeEach(async () => {
    stage = new EventEmitter();
    (globalThis as Record<string, unknown>)['shutdownStage'] = stage;
    happened = [];
    for (const name of ['shutdown', 'answered', 'deactivated'])
      stage.on(name, () => happened.push(name));
    plugin = await createPluginFolder({ 'main.js': PLUGIN });
    host = await startTestHost({ pluginRoot: plugin.root });
  });

  afterEach(async () => {
    await host.dispose();
    await plugin.remove();
    delete (globalThis as Record<string, unknown>)['shutdownStage'];
  });

  function ask(route: string, agent?: Agent): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      get(`${host.url}/api/v1/ota${route}`, { agent: agent ?? false }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      }).on('error', reject);
    });
  }

  it('F70 finishes requests under way before the plugin goes', async () => {
    const asked = once(stage, 'asked');
    const slow = ask('/slow');
    await asked;
    const stopped = host.stop();
    await waitFor(() => happened.includes('shutdown'), { describe: 'the shutdown callback' });
    stage.emit('answer');
    expect(await slow).to.deep.equal({ status: 200, body: 'finished' });
    await stopped;
    expect(happened).to.deep.equal(['shutdown', 'answered', 'deactivated']);
  });

  it('F70 sends requests on open connections away with 503', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const asked = once(stage, 'asked');
    const slow = ask('/slow', agent);
    await asked;
    // Waits on the same connection until the slow answer is there.
    const late = ask('/fast', agent);
    const stopped = host.stop();
    await waitFor(() => happened.includes('shutdown'), { describe: 'the shutdown callback' });
    stage.emit('answer');
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

  it('takes no new connections', async () => {
    await host.stop();
    const problem = await ask('/fast').catch((error: NodeJS.ErrnoException) => error);
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

  it('brings everything along, says how to get in, and ends on SIGTERM', async function () {
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

  it('names every wrong setting and does not start', async () => {
    const host = start({ PORT: 'http', OPS_ROLE: 'boss', OPS_ADMIN_TOKEN: 'short' });
    const ended = once(host, 'exit');
    const output = await text(host.stderr!);
    expect(await ended).to.deep.equal([1, null]);
    expect(output).to.include('PORT').and.include('OPS_ROLE').and.include('OPS_ADMIN_TOKEN');
  });
});
