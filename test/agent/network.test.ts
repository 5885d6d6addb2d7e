import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type RequestListener, createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  type Server,
  type Socket,
  connect,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from 'node:net';
import { parseConfig } from '../../agent/device/config/agent-config.ts';
import { messageOf } from '../../agent/kernel/errors.ts';
import { attemptTimeout, createHttpClient } from '../../agent/device/network/http-client.ts';
import {
  type Certificate,
  type CertificateSet,
  makeCertificates,
} from '../support/agent/certificates.ts';
import { exemptFromChecks } from '../support/response-checks.ts';
import { DeviceServer, answerWith } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const HOST = 'packages.ota.test';
const PACKAGE = makePackage('echo new > "$OTA_ROOT/app/version.txt"');

interface Proxy {
  url: string;
  /** The targets asked for, `host:port`. */
  targets: string[];
  close: () => Promise<void>;
}

describe('agent: network', () => {
  let server: DeviceServer;
  let device: Sandbox;
  let certificates: CertificateSet;
  const open: Server[] = [];

  before(() => {
    certificates = makeCertificates(HOST);
  });
  after(() => certificates.remove());
  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
    for (const one of open.splice(0)) one.close();
  });

  async function listen(one: Server): Promise<number> {
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
    open.push(one);
    return (one.address() as AddressInfo).port;
  }

  /** Packages over TLS under a host name nobody resolves: only the proxy knows where it is. */
  async function tlsPackages(
    certificate: Certificate,
    listener: RequestListener = (_request, response) => response.end(PACKAGE.bytes),
  ): Promise<Proxy> {
    const packages = createTlsServer(certificate, listener);
    exemptFromChecks(packages);
    const port = await listen(packages);
    const targets: string[] = [];
    const sockets = new Set<Socket>();
    const proxy = createServer();
    proxy.on('connect', (incoming, socket: Socket) => {
      targets.push(incoming.url ?? '');
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [socket, onward]) {
        sockets.add(end);
        end.on('error', () => undefined);
      }
    });
    const url = `http://127.0.0.1:${await listen(proxy)}`;
    const close = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await Promise.resolve();
    };
    server.offerPackage(PACKAGE, { update_package_url: `https://${HOST}/update.tar.gz` });
    return { url, targets, close };
  }

  it('reaches packages through the proxy, with the certificate authority configured', async () => {
    const proxy = await tlsPackages(certificates.good);
    await device.configure({
      network: { proxy_url: proxy.url, ca_file: certificates.caFile },
    });
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(proxy.targets).to.deep.equal([`${HOST}:443`]);
    await proxy.close();
  });

  it('reaches the server itself through the proxy, with the certificate authority configured only', async () => {
    const proxy = await tlsPackages(certificates.good, (incoming, outgoing) => {
      const { method, headers } = incoming;
      const onward = request(`${server.url}${incoming.url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
    server.offerPackage(PACKAGE, { update_package_url: `https://${HOST}/packages/update.tar.gz` });
    await Sandbox.at(device.dir, `https://${HOST}`);
    await device.configure({ network: { proxy_url: proxy.url } });
    const refused = await device.once();
    expect(refused.code, refused.stderr).to.equal(3);
    expect(server.polls).to.have.length(0);
    await device.configure({ network: { proxy_url: proxy.url, ca_file: certificates.caFile } });
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(server.statuses).to.deep.equal(['downloading', 'installing', 'verifying', 'completed']);
    expect(new Set(proxy.targets)).to.deep.equal(new Set([`${HOST}:443`]));
    await proxy.close();
  });

  it('does not use the proxy for hosts that are exempt', async () => {
    const proxy = await tlsPackages(certificates.good);
    await device.configure({
      network: { proxy_url: proxy.url, ca_file: certificates.caFile, no_proxy: ['.ota.test'] },
      download: { allow_insecure_loopback: true, max_attempts: 1 },
    });
    // Nobody resolves the name: the attempt waits for a name service.
    expect((await device.once()).code).to.equal(13);
    expect(proxy.targets).to.deep.equal([]);
    await proxy.close();
  });

  const refused: Record<
    string,
    [keyof CertificateSet & ('expired' | 'wrongName' | 'selfSigned' | 'good'), boolean]
  > = {
    'an expired certificate': ['expired', true],
    'a certificate for another name': ['wrongName', true],
    'a self-signed certificate': ['selfSigned', true],
    'an authority nobody configured': ['good', false],
  };
  for (const [what, [name, withAuthority]] of Object.entries(refused)) {
    it(`F27 refuses ${what}, at once`, async () => {
      const proxy = await tlsPackages(certificates[name]);
      await device.configure({
        network: {
          proxy_url: proxy.url,
          ...(withAuthority ? { ca_file: certificates.caFile } : {}),
        },
      });
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(10);
      expect(server.lastReport.error_message).to.include('certificate');
      expect(proxy.targets).to.have.length(1);
      await proxy.close();
    });
  }

  it('G35 a certificate that is not valid yet, since the clock is behind: the attempt waits', async () => {
    const early = await tlsPackages(certificates.notYetValid);
    const network = { ca_file: certificates.caFile };
    await device.configure({ network: { proxy_url: early.url, ...network } });
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(13);
    expect(server.statuses).to.deep.equal(['downloading']);
    await early.close();
    const offer = server.offer;
    const now = await tlsPackages(certificates.good);
    server.offer = offer;
    await device.configure({ network: { proxy_url: now.url, ...network } });
    const later = await device.once();
    expect(later.code, later.stderr).to.equal(0);
    expect(server.lastReport.status).to.equal('completed');
    await now.close();
  });

  it('F26 does not follow from https to http', async () => {
    const proxy = await tlsPackages(certificates.good, (_request, response) => {
      response.writeHead(302, { location: `${server.url}/packages/x` }).end();
    });
    await device.configure({ network: { proxy_url: proxy.url, ca_file: certificates.caFile } });
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.error_message).to.include('from https to http');
    expect(server.downloads).to.have.length(0);
    await proxy.close();
  });

  it('a bandwidth limit is kept', async () => {
    const big = makePackage('true', { data: randomBytes(60_000) });
    await device.configure({
      download: { allow_insecure_loopback: true, max_bytes_per_second: 50_000 },
    });
    server.offerPackage(big);
    let began = 0;
    server.servePackage = () => {
      began = Date.now();
      return false;
    };
    let ended = 0;
    server.intercept = (request) => {
      if ((request.url ?? '').includes('/status') && began > 0 && ended === 0) ended = Date.now();
      return false;
    };
    expect((await device.once()).code).to.equal(0);
    expect(ended - began).to.be.above((big.bytes.length / 50_000) * 1000 * 0.9);
  });

  it('G30 every error of several is printed, and those that caused them', () => {
    const each = new AggregateError([new Error('connect a'), new Error('connect b')]);
    const outer = new Error('no answer', { cause: each });
    expect(messageOf(outer)).to.equal('no answer (connect a; connect b)');
    expect(messageOf(new AggregateError([]))).to.equal('AggregateError');
  });

  it('G30 an address has time for a slow link, and leaves time for the next one', async () => {
    expect([30_000, 8_000, 200].map(attemptTimeout)).to.deep.equal([5_000, 2_000, 250]);
    const earlier = getDefaultAutoSelectFamilyAttemptTimeout();
    try {
      const http = await createHttpClient(parseConfig('{}', 'the test'));
      http.close();
      expect(getDefaultAutoSelectFamilyAttemptTimeout()).to.equal(5_000);
    } finally {
      setDefaultAutoSelectFamilyAttemptTimeout(earlier);
    }
  });

  it('F28 503 to a poll with Retry-After is waited for', async () => {
    let polls = 0;
    const times: number[] = [];
    server.intercept = (request, response) => {
      if (!(request.url ?? '').includes('check-update')) return false;
      times.push(Date.now());
      return polls++ === 0 && answerWith(503, { 'retry-after': '1' })(request, response);
    };
    const agent = await device.start(['run']);
    await server.until(() => server.polls.length > 0);
    agent.process.kill('SIGTERM');
    await agent.exit;
    expect((times[1] ?? 0) - (times[0] ?? 0)).to.be.within(950, 5000);
  });
});
