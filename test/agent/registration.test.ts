import { readFile, writeFile } from 'node:fs/promises';

import { expect } from 'chai';

import type { Credentials } from '../../agent/device/state/credentials.ts';
import {
  DEVICE_TOKEN,
  DeviceServer,
  REGISTRATION_TOKEN,
  refuse,
} from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

/** A poll that nobody answers is followed by the next only after so long. */
const NEVER_MIND = { interval_seconds: 3_600, min_seconds: 3_600, max_seconds: 7_200 };

describe('agent: registered again while it runs', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url, { poll: NEVER_MIND });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const credentials = async () =>
    JSON.parse(await readFile(device.state('credentials.json'), 'utf8')) as Credentials;
  const put = (text: string) => writeFile(device.state('credentials.json'), text);

  /** An agent whose token the server has just refused. */
  async function refused() {
    await put(JSON.stringify({ ...(await credentials()), auth_token: 'revoked' }));
    let polls = 0;
    server.intercept = (request, response) => {
      if (request.headers.authorization !== 'Bearer revoked') return false;
      if (request.url?.includes('/check-update')) polls += 1;
      return refuse(401, 'unauthenticated')(request, response);
    };
    server.offerPackage(makePackage('true'));
    const agent = await device.start(['run']);
    await server.until(() => polls > 0);
    return agent;
  }

  async function updates(agent: Awaited<ReturnType<typeof refused>>): Promise<void> {
    await server.until(() => server.reports.some(({ status }) => status === 'completed'));
    agent.process.kill('SIGTERM');
    expect((await agent.exit).code).to.equal(0);
  }

  it('G37 register --force is taken up at once, without a restart', async () => {
    const agent = await refused();
    const exit = await device.run([
      'register',
      '--force',
      '--server',
      server.url,
      '--token',
      REGISTRATION_TOKEN,
    ]);
    expect(exit.code, exit.stderr).to.equal(0);
    await updates(agent);
  });

  it('G37 a token that was put into the file is taken up, also with a byte order mark', async () => {
    const agent = await refused();
    await put(`\uFEFF${JSON.stringify({ ...(await credentials()), auth_token: DEVICE_TOKEN })}`);
    await updates(agent);
  });

  for (const [what, text] of Object.entries({
    'is not JSON': '{"auth_token":',
    'lacks the token': JSON.stringify({ server_url: 'http://127.0.0.1:1', device_id: 'x' }),
  })) {
    it(`G37 a file that ${what} changes nothing until it is right`, async () => {
      const agent = await refused();
      const right = JSON.stringify({ ...(await credentials()), auth_token: DEVICE_TOKEN });
      await put(text);
      await agent.said('the earlier registration is kept');
      await put(right);
      await updates(agent);
    });
  }

  it('G37 the token goes to no other server than the configured one', async () => {
    const other = await DeviceServer.start();
    try {
      await device.configure({ server: { url: server.url } });
      const agent = await refused();
      const right = { ...(await credentials()), auth_token: DEVICE_TOKEN };
      await put(JSON.stringify({ ...right, server_url: other.url }));
      await agent.said('the earlier registration is kept');
      expect(other.polls).to.deep.equal([]);
      await put(JSON.stringify(right));
      await updates(agent);
    } finally {
      await other.close();
    }
  });

  it('G37 a configuration with a byte order mark is read', async () => {
    const { configPath } = device;
    await writeFile(configPath, `\uFEFF${await readFile(configPath, 'utf8')}`);
    expect((await device.once()).code).to.equal(0);
  });
});
