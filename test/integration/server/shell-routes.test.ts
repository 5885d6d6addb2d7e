import { createHash } from 'node:crypto';

import { expect } from 'chai';
import supertest from 'supertest';

import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { shellConfig } from '../../support/shell-config.ts';
import { startShellHost, type ShellHost } from '../../support/shell-host.ts';

const PLUGIN = `
  import { Router } from ${JSON.stringify(import.meta.resolve('express'))};
  export async function activate(host) {
    host.navigation.addPage({
      id: 'sample', title: 'Sample </script><b>', icon: 'upload', section: 'Edge', path: '/admin/edge/ota',
      module: import.meta.dirname + '/page/page.js',
      style: import.meta.dirname + '/page/page.css', permission: 'sample:use',
    });
    const removers = [
      host.http.mount('device', Router().get('/poll', (_request, response) => response.json('routed'))),
      host.http.preRouter('device', (path, _request, response) => {
        if (path !== '/fast') return false;
        response.end('handled');
        return true;
      }),
    ];
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => removers.forEach((remove) => remove()),
    };
  }
`;
const HOME = '/admin/edge/ota';

for (const basePath of ['', '/ops']) {
  describe(`the shell of ota-server ${basePath ? `below ${basePath}` : 'without a path prefix'}`, () => {
    let plugin: PluginFixture;
    let host: ShellHost;
    let session: ShellHost['session'];

    before(async () => {
      plugin = await createPluginFixture({
        'main.js': PLUGIN,
        'page/page.js': 'export const routes = [];',
        'page/page.css': '',
      });
      host = await startShellHost({ basePath, pluginRoot: plugin.root });
      session = host.session;
    });
    after(async () => {
      await host.stop();
      await plugin.remove();
    });
    afterEach(() => Object.assign(host, { session, sessionFailure: null }));

    const get = (path: string) => supertest(host.url).get(path);
    const document = async () => (await get(basePath + HOME).expect(200)).text;

    it('sends users without a session to sign in, and back afterwards', async () => {
      host.session = null;
      const page = `${basePath}${HOME}/1?tab=timeline`;
      await get(page)
        .expect(302)
        .expect('Location', `${basePath}/sign-in?next=${encodeURIComponent(page)}`);
    });

    it('is served if the session cannot be checked, to explain the failure', async () => {
      host.sessionFailure = new Error('no Redis');
      expect(await document()).to.include('shell-config');
    });

    it('refers to files below one prefix only, each of which exists', async () => {
      const html = await document();
      const { pages } = shellConfig(html);
      const urls = [
        ...[...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url),
        ...[...html.matchAll(/"(?:vue|pinia|vue-router)":"([^"]+)"/g)].map(([, url]) => url),
        ...pages.flatMap(({ module, style }) => [module, style]),
      ].filter((url) => typeof url === 'string');
      expect(urls.length).to.be.above(10);
      for (const url of urls) {
        expect(url.startsWith(`${basePath}${HOME}/_shell/`), url).to.equal(true);
        await get(url).expect(200);
      }
      expect(pages.map(({ path }) => path)).to.deep.equal([HOME, `${HOME}/_device-access`]);
    });

    it('is the same if the proxy has removed the prefix', async () => {
      const stripped = await get(HOME).expect(200);
      expect(stripped.text).to.equal(await document());
      host.session = null;
      const { headers } = await get(HOME).expect(302);
      expect(headers['location']).to.include(encodeURIComponent(basePath + HOME));
    });

    it('has an import map that its content security policy allows', async () => {
      const { headers, text } = await get(basePath + HOME).expect(200);
      const map = /<script type="importmap">(.*?)<\/script>/s.exec(text)?.[1] ?? '';
      const hash = createHash('sha256').update(map).digest('base64');
      expect(headers['content-security-policy']).to.include(`'sha256-${hash}'`);
      expect(headers['cache-control']).to.equal('no-store');
    });

    it('contains no markup from titles', async () => {
      expect(await document()).not.to.include('</script><b>');
      expect(shellConfig(await document()).pages[0]?.title).to.equal('Sample </script><b>');
    });

    it('answers 404 for missing files, not with the document', async () => {
      const { text } = await get(`${basePath}${HOME}/_shell/plugins/sample/gone.js`).expect(404);
      expect(text).not.to.include('<html');
    });

    it('leads from the root to the page', async () => {
      await get(`${basePath}/`)
        .expect(302)
        .expect('Location', basePath + HOME);
    });

    it('leaves the APIs of devices reachable, through Express and before it', async () => {
      await get(`${basePath}/api/v1/ota/poll`).expect(200, '"routed"');
      const { body, text } = await get(`${basePath}/api/v1/ota/fast`).expect(200);
      expect(text ?? String(body)).to.equal('handled');
    });
  });
}

describe('a path prefix', () => {
  it('is removed only where it ends at a segment', async () => {
    const plugin = await createPluginFixture({ 'main.js': PLUGIN });
    const host = await startShellHost({ basePath: '/ops', pluginRoot: plugin.root });
    try {
      await supertest(host.url)
        .get('/ops?x=1')
        .expect(302)
        .expect('Location', '/ops/admin/edge/ota');
      await supertest(host.url).get('/opsapi/v1/ota/poll').expect(404);
      await supertest(host.url).get('/ops/ops/api/v1/ota/poll').expect(404);
    } finally {
      await host.stop();
      await plugin.remove();
    }
  });
});
