import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Interceptor } from '../support/agent/device-server.ts';
import { DeviceServer, answerWith, on, refuse } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const GOOD = makePackage('echo new > "$OTA_ROOT/app/version.txt"');

const cutOff: Interceptor = (request) => {
  request.socket.destroy();
  return true;
};

describe('agent: reports and what the server answers', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url, {
      reports: { wait_seconds: 0.2, retry_min_seconds: 0.02, retry_max_seconds: 0.05 },
    });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  for (const [what, fault] of Object.entries({
    'answers 500': answerWith(500),
    'answers 401 for a while': answerWith(401),
  })) {
    it(`an update goes on while the server ${what}; every report arrives after a restart, in order`, async () => {
      await device.configure({
        reports: { wait_seconds: 0.2, retry_min_seconds: 0.02, retry_max_seconds: 0.05 },
        commit: { deadline_seconds: 0.3 },
      });
      server.offerPackage(GOOD);
      server.intercept = on('/deployments/', fault);
      const agent = await device.start(['run']);
      await untilVersion('2.0.0');
      agent.process.kill('SIGTERM');
      expect((await agent.exit).code).to.equal(0);
      expect(server.reports).to.deep.equal([]);
      expect((await device.open()).reportsWaiting).to.be.above(3);

      server.intercept = null;
      server.offer = null;
      expect((await device.once()).code).to.equal(0);
      expect(server.statuses).to.deep.equal([
        'downloading',
        'installing',
        'verifying',
        'completed',
      ]);
      expect((await device.open()).reportsWaiting).to.equal(0);
    });
  }

  it('nothing is installed while the server gives no answer; it is when the server is back', async () => {
    const before = await device.picture();
    server.offerPackage(GOOD);
    server.intercept = on('/deployments/', cutOff);
    const agent = await device.start(['run']);
    const deferred = async (): Promise<boolean> =>
      (await device.lastCycle())?.why?.includes('the server gives no answer') ?? false;
    await waitFor(deferred, { timeout: 15_000, describe: 'the update waits for the server' });
    const cycle = await device.lastCycle();
    const again = async (): Promise<boolean> => (await device.lastCycle())?.at !== cycle?.at;
    await waitFor(again, { timeout: 15_000, describe: 'another cycle' });
    expect((await device.open()).reportsWaiting).to.equal(1);
    expect(await device.picture()).to.equal(before);
    server.intercept = null;
    await server.until(() => server.reports.at(-1)?.status === 'completed');
    agent.process.kill('SIGTERM');
    expect((await agent.exit).code).to.equal(0);
    expect(await device.currentVersion()).to.equal('2.0.0');
    expect(server.downloads).to.have.length(1);
    expect(server.statuses.slice(-3)).to.deep.equal(['installing', 'verifying', 'completed']);
  });

  it('a report whose answer was lost is sent again', async () => {
    server.offerPackage(GOOD);
    let lost = 0;
    server.intercept = on('/status', (request, response) => {
      if (lost++ > 0) return false;
      response.destroy();
      return true;
    });
    expect((await device.once()).code).to.equal(0);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
  });

  it('F28 a report waits as long as Retry-After says', async () => {
    server.offerPackage(GOOD);
    const times: number[] = [];
    server.intercept = on('/status', (_request, response) => {
      times.push(Date.now());
      if (times.length > 1) return false;
      response.writeHead(429, { 'retry-after': '1' }).end();
      return true;
    });
    expect((await device.once()).code).to.equal(0);
    expect((times[1] ?? 0) - (times[0] ?? 0)).to.be.within(950, 5000);
  });

  it('F68 stops at `abort` before the installation, untouched, and reports skipped', async () => {
    const before = await device.picture();
    server.directive = 'abort';
    server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(12);
    expect(server.statuses).to.deep.equal(['downloading', 'skipped']);
    expect(await device.picture()).to.equal(before);
    expect((await device.open()).active).to.equal(null);
  });

  it('F68 stops at `abort` in the middle of a download', async () => {
    await device.configure({
      download: { allow_insecure_loopback: true, progress_interval_seconds: 0.05 },
    });
    server.offerPackage(GOOD);
    server.servePackage = (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('x');
      server.directive = 'abort';
      return true;
    };
    expect((await device.once()).code).to.equal(12);
    expect(server.statuses).to.deep.equal(['downloading', 'skipped']);
  });

  it('F68 stops at `abort` in the answer to `installing`', async () => {
    const before = await device.picture();
    await device.configure({ reports: { wait_seconds: 5 } });
    server.offerPackage(GOOD);
    server.servePackage = () => {
      server.directive = 'abort';
      return false;
    };
    expect((await device.once()).code).to.equal(12);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'skipped']);
    expect(await device.picture()).to.equal(before);
  });

  it('F68 finishes when `abort` comes after install.sh has begun', async () => {
    server.offerPackage(
      makePackage('touch "$OTA_ROOT/app/started"; echo new > "$OTA_ROOT/app/version.txt"'),
    );
    server.intercept = on('/status', () => {
      if (server.reports.length === 2) server.directive = 'abort';
      return false;
    });
    expect((await device.once()).code).to.equal(0);
    expect(server.statuses.at(-1)).to.equal('completed');
  });

  for (const [status, code] of [
    [409, 'stale_attempt'],
    [404, 'not_found'],
  ] as const) {
    it(`stops without a further report when the server answers ${status} before the installation`, async () => {
      const before = await device.picture();
      server.offerPackage(GOOD);
      server.intercept = on('/status', refuse(status, code));
      expect((await device.once()).code).to.equal(12);
      expect(await device.picture()).to.equal(before);
      expect(await device.open()).to.deep.equal({ active: null, reportsWaiting: 0 });
      expect(server.downloads).to.have.length(0);
    });
  }

  it('an attempt that was cancelled can be offered again', async () => {
    server.directive = 'abort';
    const offer = server.offerPackage(GOOD);
    expect((await device.once()).code).to.equal(12);
    server.directive = 'continue';
    server.offer = offer;
    expect((await device.once()).code).to.equal(0);
    expect(await device.currentVersion()).to.equal('2.0.0');
  });

  it('a finished attempt is not installed again: its end is reported again', async () => {
    const offer = server.offerPackage(makePackage('echo run >> "$OTA_ROOT/app/runs"'));
    await device.once();
    server.offer = offer;
    server.reports.length = 0;
    expect((await device.once()).code).to.equal(0);
    expect(await device.read('app/runs')).to.equal('run\n');
    expect(server.statuses).to.deep.equal(['completed']);
    expect(server.lastReport.installed_version).to.equal('2.0.0');
  });

  it('the next attempt of the same deployment is carried out', async () => {
    const offer = server.offerPackage(makePackage('exit 1'));
    expect((await device.once()).code).to.equal(11);
    server.offerPackage(GOOD, { deployment_id: offer.deployment_id, attempt: 2 });
    expect((await device.once()).code).to.equal(0);
    expect(server.lastReport).to.include({ status: 'completed', attempt: 2 });
  });

  it('an offer of the earlier generation, without an attempt, is carried out', async () => {
    const offer = server.offerPackage(GOOD);
    server.offer = JSON.parse(JSON.stringify({ ...offer, attempt: undefined })) as typeof offer;
    expect((await device.once()).code).to.equal(0);
    expect(server.lastReport).to.include({ status: 'completed', attempt: 1 });
  });

  it('an offer that makes no sense is refused with every fault named', async () => {
    server.offerPackage(GOOD, { checksum: 'sha256:short', target_version: 'two\nlines' });
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.status).to.equal('failed');
    expect(server.lastReport.error_message).to.include('checksum').and.include('target_version');
  });

  it('an offer whose id would become a path is not touched', async () => {
    server.offerPackage(GOOD, { deployment_id: '../../escape' });
    expect((await device.once()).code).to.equal(3);
    expect(server.reports).to.deep.equal([]);
  });

  for (const status of [401, 403, 500]) {
    it(`a poll answered ${status} changes nothing and is tried again`, async () => {
      let polls = 0;
      server.intercept = on('check-update', (_request, response) => {
        if (polls++ > 1) return false;
        response.writeHead(status).end();
        return true;
      });
      server.offerPackage(GOOD);
      const agent = await device.start(['run']);
      await server.until(() => server.statuses.at(-1) === 'completed');
      agent.process.kill('SIGTERM');
      expect((await agent.exit).code).to.equal(0);
      expect(polls).to.be.above(2);
    });
  }

  it('SIGTERM during a download stops at once; the next start goes on', async () => {
    server.offerPackage(GOOD);
    server.servePackage = (_request, response) => {
      response.writeHead(200, { etag: server.etag, 'content-length': GOOD.bytes.length });
      response.write(GOOD.bytes.subarray(0, 10));
      return true;
    };
    const agent = await device.start(['run']);
    await server.until(() => server.downloads.length === 1);
    agent.process.kill('SIGTERM');
    expect((await agent.exit).code).to.equal(0);
    expect((await device.open()).active?.step).to.equal('download');
    server.servePackage = null;
    expect((await device.once()).code).to.equal(0);
    expect(await device.currentVersion()).to.equal('2.0.0');
  });

  it('F46 SIGTERM during install.sh lets it finish; the next start checks health and completes', async () => {
    server.offerPackage(
      makePackage('kill $PPID; sleep 0.5; echo new > "$OTA_ROOT/app/version.txt"'),
    );
    const agent = await device.start(['run']);
    expect((await agent.exit).code).to.equal(0);
    expect(await device.read('app/version.txt')).to.equal('new\n');
    expect((await device.once()).code).to.equal(0);
    expect(server.lastReport.status).to.equal('completed');
  });

  async function untilVersion(version: string): Promise<void> {
    while ((await device.currentVersion()) !== version) await sleep(10);
    while ((await device.open()).active) await sleep(10);
  }
});
