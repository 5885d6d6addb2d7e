/** The reverse proxy configurations of docs/proxies, with Debian's nginx. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { expect } from 'chai';
import { Router } from 'express';
import { parse } from 'yaml';

import { waitFor } from '../../dev/wait-for.ts';
import { launchBrowser } from '../support/browser.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { ROOT } from '../support/repository.ts';
import { insertDevices } from '../support/seed.ts';
import { startShellHost, type ShellHost } from '../support/shell-host.ts';

const MEGABYTE = 1024 * 1024;
const UPLOAD_BYTES = 50 * MEGABYTE;
const VARIANTS = [
  { file: 'nginx.conf', basePath: '' },
  { file: 'nginx-prefix.conf', basePath: '/ops' },
];

/** What ota-server saw of a request. */
interface Seen {
  address: string;
  host: string;
  protocol: string;
  headers: Record<string, string | undefined>;
  remotePort: number;
}

const readDoc = (name: string): Promise<string> =>
  readFile(path.join(ROOT, 'docs/proxies', name), 'utf8');

for (const { file, basePath } of VARIANTS) {
  describe(`docs/proxies/${file}`, function () {
    this.timeout(60_000);

    let platform: Server;
    let host: ShellHost;
    let nginx: Nginx;
    /** Bytes of the upload that have reached ota-server. */
    let received = 0;

    before(async function () {
      platform = createServer((request, response) => {
        response.end(JSON.stringify({ platform: request.url, ...request.headers }));
      }).listen(0, '127.0.0.1');
      await once(platform, 'listening');
      const routes = Router()
        .get('/api/v1/ota-server/seen', (request, response) => {
          response.json({
            address: request.ip,
            host: request.host,
            protocol: request.protocol,
            headers: request.headers,
            remotePort: request.socket.remotePort,
          });
        })
        .post('/api/v1/admin/ota-server/upload', async (request, response) => {
          received = 0;
          for await (const chunk of request) received += (chunk as Buffer).length;
          response.json({ received });
        });
      host = await startShellHost({ basePath, routes });
      const organizationId = host.session?.organization?.id ?? '';
      await insertDevices(host.knex, 1, { organizationId });
      const started = await startNginx(file, {
        platform: (platform.address() as AddressInfo).port,
        otaServer: host.port,
      });
      if (started === null) return this.skip();
      nginx = started;
    });
    after(async () => {
      await nginx?.stop();
      await host.stop();
      platform.close();
    });

    const send = (url: string, options: RequestOptions = {}) =>
      httpsRequest(nginx.url + url, { ca: nginx.authority, ...options });

    async function get(url: string, headers: Record<string, string> = {}) {
      const request = send(url, { headers }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      let text = '';
      for await (const chunk of response) text += String(chunk);
      return { status: response.statusCode, text };
    }
    const seen = async (headers: Record<string, string> = {}): Promise<Seen> =>
      JSON.parse((await get(`${basePath}/api/v1/ota-server/seen`, headers)).text) as Seen;

    it('passes the real address of the client on, whatever the client claims', async () => {
      const {
        address,
        host: name,
        protocol,
        headers,
      } = await seen({
        'X-Forwarded-For': '198.51.100.9',
        'X-Real-IP': '198.51.100.9',
        'X-Forwarded-Host': 'evil.example.com',
        'X-Forwarded-Proto': 'http',
        Forwarded: 'for=198.51.100.9',
        Proxy: 'http://evil.example.com',
      });
      expect(address).to.equal('127.0.0.1');
      expect(headers['x-forwarded-for']).to.equal('127.0.0.1');
      expect(name).to.equal(new URL(nginx.url).host);
      expect(protocol).to.equal('https');
      expect(JSON.stringify(headers)).not.to.include('198.51.100.9').and.not.include('evil');
    });

    it('does not forward hop-by-hop headers, and upgrades no connection to ota-server', async () => {
      const { headers } = await seen({
        Connection: 'Upgrade, HTTP2-Settings',
        Upgrade: 'h2c',
        'HTTP2-Settings': 'AAMAAABkAARAAAAAAAIAAAAA',
        TE: 'trailers',
      });
      expect(headers).not.to.have.any.keys('upgrade', 'te', 'connection', 'keep-alive');
    });

    it('keeps connections to ota-server open', async () => {
      const first = await seen();
      expect((await seen()).remotePort).to.equal(first.remotePort);
    });

    it('passes events on at once', async () => {
      const request = send(`${basePath}/api/v1/admin/ota/stream`).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(response.headers['content-type']).to.match(/^text\/event-stream/);
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      // Read while the stream stays open: a proxy that buffers would pass on nothing yet.
      const post = send(`${basePath}/api/v1/admin/ota/deployments`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
      }).end(JSON.stringify(DEPLOYMENT));
      const [created] = (await once(post, 'response')) as [IncomingMessage];
      created.resume();
      expect(created.statusCode).to.equal(201);
      await waitFor(() => /^event: deployment$/m.test(text), {
        describe: () => `an event arrives; received: ${text}`,
      });
      expect(response.complete).to.equal(false);
      request.destroy();
    });

    it('streams a large upload while it arrives', async () => {
      const request = send(`${basePath}/api/v1/admin/ota-server/upload`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/octet-stream',
          'Content-Length': String(UPLOAD_BYTES),
        },
      });
      const answered = once(request, 'response') as Promise<[IncomingMessage]>;
      const half = Buffer.alloc(UPLOAD_BYTES / 2, 1);
      request.write(half);
      await waitFor(() => received === half.length, {
        describe: () => `the first half has arrived; received ${received} bytes`,
      });
      request.end(half);
      const [response] = await answered;
      let text = '';
      for await (const chunk of response) text += String(chunk);
      expect(JSON.parse(text)).to.deep.equal({ received: UPLOAD_BYTES });
    });

    it('leaves everything else to the platform', async () => {
      for (const url of [
        '/admin',
        '/admin/edge/otamatic',
        '/api/v1/otas',
        '/api/v1/admin/edge/devices',
      ]) {
        const { text } = await get(basePath + url);
        expect(JSON.parse(text), url).to.include({ platform: basePath + url });
      }
    });

    it('exposes neither health nor metrics of ota-server', async () => {
      for (const url of ['/health/ready', '/metrics']) {
        expect((await get(basePath + url)).text, url).to.include('"platform"');
      }
    });

    it('serves the page and its live updates to a browser', async function () {
      const browser = await launchBrowser();
      if (browser === null) return this.skip();
      try {
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const page = await context.newPage();
        const problems: string[] = [];
        page.on('pageerror', (error) => problems.push(error.message));
        page.on('console', (message) => {
          if (message.type() === 'error') problems.push(message.text());
        });
        await page.goto(`${nginx.url}${basePath}/admin/edge/ota`);
        await page.getByText(DEPLOYMENT.deployment_name).first().waitFor();
        await page.getByText('Live', { exact: true }).first().waitFor();
        await page.getByRole('link', { name: 'Device access' }).click();
        await page.getByText('No device was refused.').waitFor();
        expect(problems).to.deep.equal([]);
      } finally {
        await browser.close();
      }
    });
  });
}

const DEPLOYMENT = {
  deployment_name: 'Through the proxy',
  target_version: 'v2.1.0',
  rollout_strategy: 'immediate',
  device_filters: {},
  update_package_url: 'https://cdn.example.com/v2.1.0.tar.gz',
  checksum: 'ab'.repeat(32),
};

describe('docs/proxies', () => {
  const routedByNginx = async (name: string): Promise<string> =>
    /location ~ (\S+) \{/.exec(await readDoc(name))?.[1] ?? '';

  it('routes the same paths in every variant', async () => {
    const expression = await routedByNginx('nginx.conf');
    expect(expression).to.match(/^\^\//);
    expect(await routedByNginx('nginx-prefix.conf')).to.equal(expression.replace('^/', '^/ops/'));
    const { http } = parse(await readDoc('traefik.yml')) as {
      http: { routers: Record<string, { rule: string }> };
    };
    expect(http.routers['ota-server']?.rule).to.include(`PathRegexp(\`${expression}\`)`);
  });

  it('has variants for a path prefix that differ in nothing else', async () => {
    const [plain, prefixed] = await Promise.all(['nginx.conf', 'nginx-prefix.conf'].map(readDoc));
    const body = (text = ''): string => text.slice(text.indexOf('upstream'));
    expect(body(prefixed).replaceAll('/ops/', '/')).to.equal(body(plain));
  });
});
