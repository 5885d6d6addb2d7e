import { expect } from 'chai';

import { libraryUrls, shellFileUrl } from '../../../backend/server/page/shell-files.ts';
import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';

const PLUGIN = `
  import { Router } from ${JSON.stringify(import.meta.resolve('express'))};
  export async function activate(host) {
    host.navigation.addPage({
      id: 'sample', title: 'Sample', icon: 'upload', section: 'Samples', path: '/admin/sample',
      module: import.meta.dirname + '/page/page.js',
      style: import.meta.dirname + '/page/page.css', permission: 'sample:use',
    });
    const router = Router().get('/events', (_request, response) => {
      response.type('text/event-stream').end('data: x\\n\\n'.repeat(1_000));
    });
    const unmount = host.http.mount('admin', router);
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => unmount(),
    };
  }
`;
const SCRIPT = `export const routes = [];\n${'// A file that is worth compressing.\n'.repeat(200)}`;
const HASHED = [
  '/plugins/sample/chunks/Detail-sVwxo1Vy.js',
  shellFileUrl('', 'shell.js'),
  shellFileUrl('', 'shell.css'),
  libraryUrls('')['vue'] ?? '',
];
/** Of another version of the shell, as a document from a process that was replaced may ask for them. */
const OTHER_VERSION = '0123456789abcdef';
const UNHASHED = [
  '/plugins/sample/page.js',
  '/plugins/sample/page.css',
  '/plugins/sample/chunks/plain.js',
  '/plugins/sample/page-overview.js',
  `/shell/${OTHER_VERSION}/shell.js`,
  `/vendor/${OTHER_VERSION}/vue.js`,
];

describe('static files of pages', () => {
  let plugin: PluginFixture;
  let host: TestHost;

  before(async () => {
    plugin = await createPluginFixture({
      'main.js': PLUGIN,
      'page/page.js': SCRIPT,
      'page/page.css': '.sample { color: rgb(1, 2, 3); }\n'.repeat(100),
      'page/page-overview.js': SCRIPT,
      'page/chunks/Detail-sVwxo1Vy.js': SCRIPT,
      'page/chunks/plain.js': SCRIPT,
    });
    host = await startTestHost({ pluginRoot: plugin.root });
  });

  after(async () => {
    await host.dispose();
    await plugin.remove();
  });

  const get = (path: string) => host.request.get(path).set('Accept-Encoding', 'gzip');

  for (const file of [...HASHED, ...UNHASHED]) {
    it(`G46 are compressed if the browser accepts it: ${file}`, async () => {
      const { headers, text } = await get(file).expect(200);
      expect(headers['content-encoding']).to.equal('gzip');
      expect(headers['vary']).to.match(/\baccept-encoding\b/i);
      const plain = await host.request.get(file).set('Accept-Encoding', 'identity').expect(200);
      expect(plain.headers).not.to.have.property('content-encoding');
      expect(plain.headers['vary']).to.match(/\baccept-encoding\b/i);
      expect(text).to.equal(plain.text);
    });
  }

  for (const file of HASHED) {
    it(`G46 are immutable if their paths contain a hash of the content: ${file}`, async () => {
      const { headers } = await get(file).expect(200);
      expect(headers['cache-control']).to.equal('public, max-age=31536000, immutable');
    });
  }

  for (const file of [
    '/plugins/sample/chunks/Gone-AAAAAAAA.js',
    shellFileUrl('', 'gone.js'),
    shellFileUrl('', '../../package.json'),
  ]) {
    it(`G46 are not cached if they are missing: ${file}`, async () => {
      const { headers } = await get(file).expect(404);
      expect(headers['cache-control'] ?? '').not.to.include('immutable');
    });
  }

  for (const file of UNHASHED) {
    it(`G46 are revalidated if their names contain no hash: ${file}`, async () => {
      const { headers } = await get(file).expect(200);
      expect(headers['cache-control']).to.equal('no-cache');
      await get(file)
        .set('If-None-Match', headers['etag'] ?? '')
        .expect(304);
    });
  }

  it('are the only responses that are compressed or cached', async () => {
    const admin = host.as(host.adminToken);
    for (const path of ['/api/v1/host/session', '/api/v1/admin/ota/events', '/admin']) {
      const { headers } = await admin.get(path).set('Accept-Encoding', 'gzip').expect(200);
      expect(headers, path).not.to.have.property('content-encoding');
      expect(headers['cache-control'] ?? '', path).not.to.match(/public|max-age/);
    }
  });
});
