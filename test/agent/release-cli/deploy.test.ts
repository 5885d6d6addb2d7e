import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { CreateDeploymentRequest } from '../../../backend/contract/admin-api.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { type Exit, OtaFolder } from '../../support/ota-program.ts';
import { ADMIN_TOKEN, RolloutHost } from '../../support/rollout-host.ts';

describe('ota deploy', function () {
  this.timeout(40_000);

  let host: RolloutHost;
  let folder: OtaFolder;
  let type: string;
  let devices: SeededDevice[];

  before(async () => {
    host = await RolloutHost.start();
  });
  after(() => host?.stop());

  beforeEach(async () => {
    folder = await OtaFolder.create();
    ({ type, devices } = await host.devices(5));
  });
  afterEach(() => folder.remove());

  const write = (change: Partial<CreateDeploymentRequest> = {}): Promise<void> =>
    writeFile(
      folder.at('deployment.json'),
      JSON.stringify({
        deployment_name: `Release for ${type}`,
        target_version: 'v2.1.0',
        rollout_strategy: 'immediate',
        device_filters: { device_type: type },
        update_package_url: 'https://cdn.example.com/v2.1.0.tar.gz',
        checksum: 'a3'.repeat(32),
        ...change,
      }),
    );

  const environment = (): Record<string, string> => ({
    OTA_SERVER: host.url,
    OTA_TOKEN: ADMIN_TOKEN,
  });
  const run = (args: string[], env = {}): Promise<Exit> =>
    folder.run(['deploy', ...args], { ...environment(), ...env });

  interface Watching {
    id: string;
    exit: Promise<Exit>;
    said(): string;
    stop(signal: NodeJS.Signals): void;
  }

  /** Creates and starts a deployment, and stays with it. */
  async function watch(
    change: Partial<CreateDeploymentRequest> = {},
    args: string[] = [],
  ): Promise<Watching> {
    await write(change);
    const all = ['deploy', '--file', 'deployment.json', '--start', '--watch', '--json', ...args];
    const { process: child, exit, said } = folder.start(all, environment());
    const id = await waitFor(() => /"deployment_id":"([^"]+)"/.exec(said())?.[1], {
      timeout: 15_000,
      describe: () => `the deployment is created; so far: ${said()}`,
    });
    return { id, exit, said, stop: (signal) => void child.kill(signal) };
  }

  const events = (stdout: string): Record<string, unknown>[] =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  async function expectEnd(
    { exit: exiting, id }: Watching,
    code: number,
    outcome: string,
  ): Promise<Exit> {
    const exit = await exiting;
    expect(exit.code, exit.stdout + exit.stderr).to.equal(code);
    const last = events(exit.stdout).at(-1);
    expect(last).to.include({ event: 'ended', outcome, exit_code: code, deployment_id: id });
    return exit;
  }

  it('exit 0: completed, told step by step', async () => {
    const watching = await watch();
    for (const device of await host.offered(devices, watching.id, 5)) {
      await host.report(device, watching.id, 'completed');
    }
    const { stdout } = await expectEnd(watching, 0, 'completed');
    expect(events(stdout)[0]).to.deep.equal({
      event: 'created',
      deployment_id: watching.id,
      target_devices: 5,
    });
    expect(events(stdout).map(({ event }) => event))
      .to.include('started')
      .and.include('progress');
  });

  it('warns about devices that would not come back by themselves', async () => {
    for (const [index, protection] of ['none', 'none', 'slots'].entries()) {
      await host.poll(devices[index]!, { protection });
    }
    await write();
    const { code, stdout } = await run(['--file', 'deployment.json', '--start']);
    expect(code).to.equal(0);
    expect(stdout).to.include(
      'Warning: 2 of 5 devices would not come back by themselves if the update fails.\n' +
        'Note: 2 of 5 devices have not reported whether they would come back.\n',
    );
  });

  it('exit 10: failed, with the devices and their reasons, for people in words', async () => {
    const watching = await watch({ policy: { failure_threshold_percent: null } });
    const [bad, ...good] = await host.offered(devices, watching.id, 5);
    await host.report(bad as SeededDevice, watching.id, 'failed', 'disk\u001b[2J is full');
    for (const device of good) await host.report(device, watching.id, 'completed');
    const { stdout } = await expectEnd(watching, 10, 'failed');
    expect(events(stdout).at(-1)?.['devices']).to.deep.equal([
      {
        device_id: bad?.id,
        device_name: bad?.name,
        status: 'failed',
        error_message: 'disk\u001b[2J is full',
      },
    ]);
    const again = await run(['--watch', watching.id]);
    expect(again.code).to.equal(10);
    expect(again.stdout).to.include(`${bad?.name}: failed: disk is full`);
  });

  it('exit 11: paused because too many devices failed', async () => {
    const watching = await watch({ policy: { failure_min_devices: 2 } });
    for (const device of (await host.offered(devices, watching.id, 5)).slice(0, 2)) {
      await host.report(device, watching.id, 'failed', 'no');
    }
    await expectEnd(watching, 11, 'paused_by_failures');
  });

  it('exit 12: cancelled; a pause by an admin does not end it', async () => {
    const watching = await watch();
    await host.offered(devices, watching.id, 5);
    await host.act(watching.id, 'pause');
    await waitFor(() => watching.said().includes('"status":"paused"'), {
      describe: 'the pause is told',
    });
    await host.act(watching.id, 'cancel');
    await expectEnd(watching, 12, 'cancelled');
  });

  const CANARY = { rollout_strategy: 'canary', rollout_percentage: 40 } as const;

  it('exit 13: the first share of a canary has ended and waits; --expand takes it on', async () => {
    const watching = await watch(CANARY);
    const first = await host.offered(devices, watching.id, 2);
    for (const device of first) await host.report(device, watching.id, 'completed');
    await expectEnd(watching, 13, 'awaiting_expansion');

    const args = ['deploy', '--watch', watching.id, '--expand', '--canary-wait', '1'];
    const { exit } = folder.start(args, environment());
    const rest = devices.filter((device) => !first.includes(device));
    for (const device of await host.offered(rest, watching.id, 3)) {
      await host.report(device, watching.id, 'completed');
    }
    const end = await exit;
    expect(end.code, end.stderr).to.equal(0);
    expect(end.stdout).to.include('expanded to 100 %').and.include('Completed');
  });

  it('a canary that is not well is not expanded', async () => {
    const watching = await watch(CANARY, ['--expand', '100']);
    const [one, other] = await host.offered(devices, watching.id, 2);
    await host.report(one as SeededDevice, watching.id, 'completed');
    await host.report(other as SeededDevice, watching.id, 'rolled_back', 'not healthy');
    const { stdout } = await expectEnd(watching, 13, 'awaiting_expansion');
    expect(stdout).to.include('not healthy').and.not.include('"expanded"');
  });

  it('exit 14: time is over, or the pipeline is stopped; the deployment goes on', async () => {
    const watching = await watch();
    await waitFor(() => watching.said().includes('"started"'), {
      timeout: 15_000,
      describe: 'the deployment is started',
    });
    watching.stop('SIGTERM');
    await expectEnd(watching, 14, 'still_running');
    const again = await run(['--watch', watching.id, '--timeout', '1']);
    expect(again.code, again.stderr).to.equal(14);
    expect(again.stdout).to.include(`ota deploy --watch ${watching.id}`);
    const status = (await host.deployments()).find((one) => one.deployment_id === watching.id);
    expect(status?.status).to.equal('in_progress');
  });

  it('exit 3: the server stays away; exit 0 when it comes back in time', async () => {
    const watching = await watch();
    const offered = await host.offered(devices, watching.id, 5);
    await host.goAway();
    const given = await run(['--watch', watching.id, '--unreachable-after', '1']);
    expect(given.code, given.stdout).to.equal(3);
    expect(given.stderr).to.include(`ota deploy --watch ${watching.id}`);
    await write();
    const created = await run(['--file', 'deployment.json', '--unreachable-after', '1']);
    expect(created.code, created.stdout).to.equal(3);
    expect(created.stderr).to.include('Nothing was created');
    await waitFor(() => watching.said().includes('trying again'), {
      timeout: 15_000,
      describe: () => `the watch notices; so far: ${watching.said()}`,
    });
    await host.comeBack();
    for (const device of offered) await host.report(device, watching.id, 'completed');
    await expectEnd(watching, 0, 'completed');
  });

  it('exit 3, and never a second deployment, when the answer to the creation is lost', async () => {
    await write();
    let creations = 0;
    const server = createServer((request) => {
      if (request.method === 'POST') creations++;
      request.resume().on('end', () => request.socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const exit = await run(['--file', 'deployment.json'], {
        OTA_SERVER: `http://127.0.0.1:${port}`,
      });
      expect(exit.code, exit.stderr).to.equal(3);
      expect(exit.stderr).to.include('may have been created').and.include(`Release for ${type}`);
      expect(creations).to.equal(1);
    } finally {
      server.close();
    }
  });

  it('exit 4: refused, every fault printed', async () => {
    await write({ checksum: 'abc', rollout_percentage: 20, target_version: '' });
    const before = (await host.deployments()).length;
    const exit = await run(['--file', 'deployment.json', '--json']);
    expect(exit.code).to.equal(4);
    for (const field of ['checksum', 'rollout_percentage', 'target_version']) {
      expect(exit.stderr).to.include(`- ${field}: `);
    }
    const [refusal] = events(exit.stdout);
    expect(refusal).to.include({ event: 'refused', code: 'invalid_request', status: 400 });
    await write({ device_filters: { device_type: 'no such type' } });
    const none = await run(['--file', 'deployment.json']);
    expect([none.code, none.stderr.includes('422 no_matching_devices')]).to.deep.equal([4, true]);
    expect((await host.deployments()).length).to.equal(before);
    const unknown = await run(['--watch', '00000000-0000-4000-8000-000000000000']);
    expect([unknown.code, unknown.stderr.includes('404')]).to.deep.equal([4, true]);
  });

  it('F62 the token is not taken from the command line, is checked by the server, and never shown', async () => {
    await write();
    const args = ['--file', 'deployment.json'];
    const option = await run([...args, '--token', ADMIN_TOKEN]);
    expect([option.code, option.stderr.includes('unknown option')]).to.deep.equal([2, true]);
    const none = await run(args, { OTA_TOKEN: '' });
    expect([none.code, none.stderr.includes('OTA_TOKEN')]).to.deep.equal([2, true]);
    const wrong = await run(args, { OTA_TOKEN: 'wrong-token' });
    expect([wrong.code, wrong.stderr.includes('401')]).to.deep.equal([4, true]);
    expect(wrong.stdout + wrong.stderr).not.to.include('wrong-token');
    await writeFile(folder.at('token'), `${ADMIN_TOKEN}\n`);
    const file = await run([...args, '--token-file', 'token'], { OTA_TOKEN: '' });
    expect(file.code, file.stderr).to.equal(0);
  });

  for (const [what, args, says] of [
    ['nothing to do', [], 'Give --file'],
    ['both at once', ['--file', 'deployment.json', '--watch', 'id'], 'give one'],
    ['a file that is none', ['--file', 'nowhere.json'], 'cannot be read'],
    ['expanding without watching', ['--file', 'deployment.json', '--expand'], 'needs --watch'],
    ['a share beyond all', ['--file', 'deployment.json', '--expand', '101'], '1 to 100'],
    [
      'a server that would get the token in the clear',
      ['--file', 'deployment.json', '--server', 'http://ops.example.com'],
      'https',
    ],
  ] as const) {
    it(`exit 2: ${what}`, async () => {
      await write();
      const exit = await run([...args]);
      expect(exit.code, exit.stderr).to.equal(2);
      expect(exit.stderr).to.include(says);
    });
  }
});
