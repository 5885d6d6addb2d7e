import { EventEmitter, once } from 'node:events';
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';

import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';
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
  let plugin: PluginFixture;
  let host: TestHost;
  let events: EventEmitter;
  let happened: string[];

  beforeEach(async () => {
    events = new EventEmitter();
    (globalThis as Record<string, unknown>)['shutdownEvents'] = events;
    happened = [];
    for (const name of ['shutdown', 'answered', 'deactivated'])
      events.on(name, () => happened.push(name));
    plugin = await createPluginFixture({ 'main.js': PLUGIN });
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
