import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import {
  DEVICE_TOKEN,
  DeviceServer,
  type Interceptor,
  type TestOffer,
  answerText,
  answerWith,
  cutAfter,
  inTurn,
} from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const BIG = makePackage('true', { 'firmware.bin': randomBytes(300_000) });

describe('agent: download', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    server.offerPackage(BIG);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  /** Resolves when the agent has so much of the package on its disk. */
  function stored(size: number): () => Promise<void> {
    const part = device.state(`work/${server.offer?.deployment_id}-1/package.tar.gz`);
    return async () => {
      while (((await stat(part).catch(() => null))?.size ?? 0) < size) await setImmediate();
    };
  }

  async function expectCompleted(): Promise<void> {
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(server.lastReport.status).to.equal('completed');
  }

  async function expectUntouched(message: string): Promise<void> {
    const before = await device.picture();
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(10);
    expect(await device.picture()).to.equal(before);
    expect(server.statuses).to.deep.equal(['downloading', 'failed']);
    expect(server.lastReport.error_message).to.include(message);
    expect(server.lastReport.installed_version).to.equal('1.0.0');
    expect(await device.currentVersion()).to.equal('1.0.0');
  }

  it('F22 goes on where the connection was cut', async () => {
    server.servePackage = inTurn(cutAfter(server, 100_000, stored(100_000)));
    await expectCompleted();
    expect(server.downloads).to.have.length(2);
    expect(server.downloads[1]?.range).to.match(/^bytes=[1-9]\d*-$/);
    expect(server.downloads[1]?.['if-range']).to.equal(server.etag);
  });

  it('F22 goes on after the agent was killed in the middle', async () => {
    server.servePackage = inTurn((_request, response) => {
      response.writeHead(200, { etag: server.etag, 'content-length': BIG.bytes.length });
      response.write(BIG.bytes.subarray(0, 150_000));
      return true;
    });
    const agent = await device.start(['once']);
    await server.until(() => server.downloads.length === 1);
    await stored(150_000)();
    agent.process.kill('SIGKILL');
    await agent.exit;
    await expectCompleted();
    expect(server.downloads[1]?.range).to.equal('bytes=150000-');
  });

  it('F22 F31 is not given up however often the agent is killed, as long as it comes further', async () => {
    await device.configure({ install: { max_interrupted_starts: 1 } });
    for (const size of [60_000, 120_000, 180_000]) {
      server.servePackage = inTurn((request, response) => {
        const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(start > 0 ? 206 : 200, {
          etag: server.etag,
          'content-length': BIG.bytes.length - start,
          'content-range': `bytes ${start}-${BIG.bytes.length - 1}/${BIG.bytes.length}`,
        });
        response.write(BIG.bytes.subarray(start, size));
        return true;
      });
      const agent = await device.start(['once']);
      await stored(size)();
      agent.process.kill('SIGKILL');
      await agent.exit;
    }
    server.servePackage = null;
    await expectCompleted();
  });

  it('F31 is given up when the agent is killed again and again without a new byte', async () => {
    await device.configure({ install: { max_interrupted_starts: 2 } });
    for (let time = 0; time < 2; time++) {
      server.servePackage = inTurn(() => true);
      const agent = await device.start(['once']);
      await server.until(() => server.downloads.length > time);
      agent.process.kill('SIGKILL');
      await agent.exit;
    }
    server.servePackage = null;
    await expectUntouched('2 times in a row in the step download');
  });

  it('F23 starts over when the file changed in between', async () => {
    server.servePackage = inTurn((_request, response) => {
      response.writeHead(200, { etag: '"earlier"', 'content-length': BIG.bytes.length });
      response.write(randomBytes(100_000));
      void stored(100_000)().then(() => response.destroy());
      return true;
    });
    await expectCompleted();
    expect(server.downloads).to.have.length(2);
  });

  it('F23 starts over when the resumed file turns out to be another under the same ETag', async () => {
    server.servePackage = inTurn((_request, response) => {
      response.writeHead(200, { etag: server.etag, 'content-length': BIG.bytes.length });
      response.write(randomBytes(100_000));
      void stored(100_000)().then(() => response.destroy());
      return true;
    });
    await expectCompleted();
    expect(server.downloads.map((one) => one.range !== undefined)).to.deep.equal([
      false,
      true,
      false,
    ]);
  });

  it('F24 starts over when the server ignores Range', async () => {
    server.servePackage = inTurn(
      cutAfter(server, 100_000, stored(100_000)),
      (_request, response) => {
        response.writeHead(200, { etag: server.etag, 'content-length': BIG.bytes.length });
        response.end(BIG.bytes);
        return true;
      },
    );
    await expectCompleted();
  });

  it('F24 starts over when the server sends another range than asked for', async () => {
    server.servePackage = inTurn(
      cutAfter(server, 100_000, stored(100_000)),
      (_request, response) => {
        response.writeHead(206, {
          etag: server.etag,
          'content-range': `bytes 5-${BIG.bytes.length - 1}/${BIG.bytes.length}`,
        });
        response.end(BIG.bytes.subarray(5));
        return true;
      },
    );
    await expectCompleted();
  });

  it('F25 gives up on a server that stalls for ever, and tries again', async () => {
    await device.configure({
      download: { allow_insecure_loopback: true, stall_timeout_seconds: 0.3 },
    });
    server.servePackage = inTurn((_request, response) => {
      response.writeHead(200, { etag: server.etag, 'content-length': BIG.bytes.length });
      response.write(BIG.bytes.subarray(0, 1000));
      return true;
    });
    await expectCompleted();
    expect(server.downloads).to.have.length(2);
  });

  it('F25 gives up on a trickle below the floor', async () => {
    await device.configure({
      download: {
        allow_insecure_loopback: true,
        min_bytes_per_second: 10_000,
        min_speed_window_seconds: 0.2,
        max_attempts: 1,
      },
    });
    server.servePackage = (_request, response) => {
      response.writeHead(200, { 'content-length': BIG.bytes.length });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    await expectUntouched('bytes a second arrive');
  });

  it('F26 refuses a redirect loop', async () => {
    server.servePackage = answerWith(302, { location: '/packages/again' });
    await expectUntouched('more than 5 redirects');
    expect(server.downloads).to.have.length(6);
  });

  it('F26 keeps the device token from every other origin', async () => {
    const seen: (string | undefined)[] = [];
    const other = await listen((request, response) => {
      seen.push(request.headers.authorization);
      response.end(BIG.bytes);
    });
    try {
      server.servePackage = answerWith(302, { location: `${other.url}/package` });
      await expectCompleted();
    } finally {
      await other.close();
    }
    expect(server.downloads[0]?.authorization).to.equal(`Bearer ${DEVICE_TOKEN}`);
    expect(seen).to.deep.equal([undefined]);
  });

  for (const url of [
    'http://packages.example.com/p.tar.gz',
    'file:///etc/passwd',
    'not an address',
  ]) {
    it(`F26 refuses a package at ${url}`, async () => {
      server.offerPackage(BIG, { update_package_url: url });
      await expectUntouched('Download refused');
    });
  }

  it('refuses plain http even on this machine unless it is allowed', async () => {
    await device.configure({ download: { allow_insecure_loopback: false } });
    await expectUntouched('allow_insecure_loopback');
  });

  for (const [what, headers] of Object.entries({
    'Retry-After in seconds': { 'retry-after': '1' },
    'Retry-After as a date': { 'retry-after': new Date(Date.now() - 5000).toUTCString() },
    'no Retry-After': {},
  })) {
    it(`F28 tries again after 503 with ${what}`, async () => {
      server.servePackage = inTurn(answerWith(503, headers));
      await expectCompleted();
      expect(server.downloads).to.have.length(2);
    });
  }

  it('F28 an absurd Retry-After does not outlast the download deadline', async () => {
    await device.configure({ download: { allow_insecure_loopback: true, deadline_seconds: 5 } });
    server.servePackage = answerWith(429, { 'retry-after': '99999999' });
    await expectUntouched('not finished within 5 seconds');
  });

  it('fails at once when the package is not there', async () => {
    server.servePackage = answerWith(404);
    await expectUntouched('the server answered 404');
    expect(server.downloads).to.have.length(1);
  });

  it('F07 stops at the size limit, announced or not', async () => {
    await device.configure({ download: { allow_insecure_loopback: true, max_bytes: 100_000 } });
    await expectUntouched('larger than the 100000 bytes');
    const offer = server.offerPackage(BIG);
    server.servePackage = (_request, response) => {
      response.writeHead(200);
      response.on('error', () => undefined);
      const more = (): void => {
        if (!response.destroyed) response.write(randomBytes(10_000), more);
      };
      more();
      return true;
    };
    server.reports.length = 0;
    await expectUntouched('larger than the 100000 bytes');
    expect(server.lastReport.deployment_id).to.equal(offer.deployment_id);
  });

  it('F01 one wrong byte: nothing is installed', async () => {
    const bytes = Buffer.from(BIG.bytes);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    server.servePackage = (_request, response) => {
      response.end(bytes);
      return true;
    };
    await expectUntouched('SHA-256');
  });

  it('accepts a bare checksum, in capitals, too', async () => {
    server.offerPackage(BIG, { checksum: BIG.sha256.toUpperCase() });
    await expectCompleted();
  });

  /** Sends it all, and says this about it. */
  const send =
    (headers: Record<string, string>, bytes = BIG.bytes): Interceptor =>
    (_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length, ...headers });
      response.end(bytes);
      return true;
    };

  for (const encoding of ['gzip', 'aws-chunked', 'x-gzip', 'aws-chunked,gzip']) {
    it(`G34 the right bytes under Content-Encoding: ${encoding} are the package`, async () => {
      server.servePackage = send({ 'content-encoding': encoding });
      await expectCompleted();
      expect(server.downloads).to.have.length(1);
    });
  }

  it('G34 the right bytes under Content-Type: text/html are the package', async () => {
    server.servePackage = send({ 'content-type': 'text/html' });
    await expectCompleted();
  });

  for (const [what, headers] of Object.entries({
    'a weak ETag': { etag: 'W/"one"' },
    'no ETag': {} as Record<string, string>,
  })) {
    /** What this server has of the package from the asked-for place on. */
    const rest =
      (of: Buffer): Interceptor =>
      (request, response) => {
        const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(206, {
          ...headers,
          'content-range': `bytes ${start}-${of.length - 1}/${of.length}`,
        });
        response.end(of.subarray(start));
        return true;
      };
    const cut =
      (bytes: Buffer): Interceptor =>
      (_request, response) => {
        response.writeHead(200, { ...headers, 'content-length': BIG.bytes.length });
        response.write(bytes.subarray(0, 100_000));
        void stored(100_000)().then(() => response.destroy());
        return true;
      };

    it(`G34 resumes with ${what}, by plain Range`, async () => {
      server.servePackage = inTurn(cut(BIG.bytes), rest(BIG.bytes));
      await expectCompleted();
      expect(server.downloads).to.have.length(2);
      expect(server.downloads[1]?.range).to.match(/^bytes=[1-9]/);
      expect(server.downloads[1]).to.not.have.property('if-range');
    });

    it(`G34 starts over with ${what} when the whole does not match`, async () => {
      server.servePackage = inTurn(cut(randomBytes(100_000)), rest(BIG.bytes));
      await expectCompleted();
      expect(server.downloads).to.have.length(3);
      expect(server.downloads[2]).to.not.have.property('range');
    });
  }

  it('G34 a body without a length that was cut with the connection is a cut', async () => {
    server.servePackage = inTurn((_request, response) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { etag: server.etag, connection: 'close' });
      response.write(BIG.bytes.subarray(0, 100_000));
      void stored(100_000)().then(() => response.socket?.end());
      return true;
    });
    await expectCompleted();
    expect(server.downloads[1]?.range).to.equal('bytes=100000-');
  });

  const S3 =
    '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>';
  const xml = (status: number, body: string): Interceptor =>
    answerText(status, body, 'application/xml');

  it('G34 one expired address is asked for again within the attempt', async () => {
    server.servePackage = inTurn(xml(403, S3));
    await expectCompleted();
    expect(server.downloads).to.have.length(2);
  });

  it('G34 an address that stays expired: the text of the object store is in the report', async () => {
    await device.configure({ download: { allow_insecure_loopback: true, max_attempts: 1 } });
    server.servePackage = xml(403, S3);
    await expectUntouched('403: AccessDenied: Request has expired');
  });

  it('G34 an expired token that is told of with 400 is asked for again', async () => {
    server.servePackage = inTurn(xml(400, S3.replace('AccessDenied', 'ExpiredToken')));
    await expectCompleted();
  });

  it('G34 one HTML page does not cost what is there already', async () => {
    server.servePackage = inTurn(
      cutAfter(server, 100_000, stored(100_000)),
      answerText(200, '<html>Sign in</html>', 'text/html'),
    );
    await expectCompleted();
    expect(server.downloads).to.have.length(3);
    expect(server.downloads[2]?.range).to.match(/^bytes=[1-9]/);
  });

  it('G35 a portal that stays: the attempt waits, and is carried out when it is gone', async () => {
    server.servePackage = answerText(200, '<html>Sign in</html>', 'text/html');
    expect((await device.once()).code).to.equal(13);
    expect(server.statuses).to.deep.equal(['downloading']);
    server.servePackage = null;
    await expectCompleted();
  });

  it('G35 a name that cannot be resolved, a host that is away: the attempt waits', async () => {
    const offer = server.offer as TestOffer;
    for (const url of ['https://packages.ota.invalid/x', 'https://127.0.0.1:1/x']) {
      server.offer = { ...offer, update_package_url: url };
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(13);
      expect(server.statuses).to.deep.equal(['downloading']);
      expect((await device.open()).active?.step).to.equal('download');
    }
  });

  it('G38 the next attempt continues what the one before had downloaded, from another address, too', async () => {
    await device.configure({ download: { allow_insecure_loopback: true, max_attempts: 1 } });
    const offer = server.offer as TestOffer;
    server.servePackage = inTurn(cutAfter(server, 100_000, stored(100_000)), answerWith(500));
    expect((await device.once()).code).to.equal(10);
    server.offer = {
      ...offer,
      attempt: 2,
      update_package_url: `${offer.update_package_url}?signed=again`,
    };
    server.servePackage = (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]);
      response.writeHead(206, {
        'content-range': `bytes ${start}-${BIG.bytes.length - 1}/${BIG.bytes.length}`,
      });
      response.end(BIG.bytes.subarray(start));
      return true;
    };
    await expectCompleted();
    expect(server.downloads.at(-1)?.range).to.match(/^bytes=[1-9]/);
  });

  it('G38 a whole package is not downloaded twice', async () => {
    const offer = server.offerPackage(makePackage('exit 1'));
    expect((await device.once()).code).to.equal(11);
    server.offer = { ...offer, attempt: 2 };
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport.attempt).to.equal(2);
    expect(server.downloads).to.have.length(1);
  });

  it('G38 a part of another package is not continued, and a completed update keeps none', async () => {
    server.offerPackage(makePackage('exit 1'));
    expect((await device.once()).code).to.equal(11);
    server.offerPackage(BIG);
    await expectCompleted();
    expect(server.downloads.at(-1)).to.not.have.property('range');
    expect(await stat(device.state('download')).catch(() => null)).to.equal(null);
  });

  for (const place of ['package.tar.gz', '/package/', 'snapshots/']) {
    it(`F29 the disk is full when ${place} is written: untouched, and said so`, async () => {
      const before = await device.picture();
      const exit = await device.once({ FAULT_NO_SPACE: place });
      expect(exit.code, exit.stderr).to.equal(10);
      expect(await device.picture()).to.equal(before);
      expect(server.lastReport.status).to.equal('failed');
      expect(server.lastReport.error_message).to.match(/ENOSPC|disk is full/);
    });
  }

  it('F29 the disk is full when the journal is written: untouched; done when there is room', async () => {
    const before = await device.picture();
    expect((await device.once({ FAULT_NO_SPACE: 'journal.json' })).code).to.equal(1);
    expect(await device.picture()).to.equal(before);
    await expectCompleted();
  });

  it('F29 the disk is full when a report is kept: untouched; reported when there is room', async () => {
    const before = await device.picture();
    expect((await device.once({ FAULT_NO_SPACE: 'outbox/' })).code).to.equal(1);
    expect(await device.picture()).to.equal(before);
    expect(server.reports).to.deep.equal([]);
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.status).to.equal('failed');
    expect(server.lastReport.error_message).to.include('ENOSPC');
  });
});

async function listen(
  listener: RequestListener,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
