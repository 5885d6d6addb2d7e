import { expect } from 'chai';

import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { shellConfig } from '../../support/shell-config.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';

const EXPRESS = JSON.stringify(import.meta.resolve('express'));

/** Responds with its context, and never removes its page. */
const GOOD = `
  import { Router } from ${EXPRESS};
  export async function activate(host) {
    const router = Router().get('/given', (request, response) => {
      response.json({ role: host.role, config: host.config, redis: 'redis' in host });
    });
    const unmount = host.http.mount('device', router);
    host.navigation.addPage({
      id: 'sample', title: 'Sample', icon: 'page', section: 'Edge', path: '/admin/sample',
      module: '/nowhere/page.js', style: '/nowhere/page.css', permission: 'sample:use',
    });
    host.events.emit('sample.ready', { answer: 42 });
    return {
      health: async () => ({ healthy: true, checks: { engine: { healthy: true } } }),
      metrics: async () => 'sample_total 1\\n',
      deactivate: async () => unmount(),
    };
  }
`;

describe('loading a plugin', () => {
  let plugin: PluginFixture | undefined;
  let host: TestHost | undefined;

  afterEach(async () => {
    await host?.dispose();
    await plugin?.remove();
    host = undefined;
    plugin = undefined;
  });

  async function load(
    files: Record<string, string>,
    manifest: Record<string, unknown> = {},
    settings: Partial<Parameters<typeof startTestHost>[0]> = {},
  ): Promise<TestHost> {
    plugin = await createPluginFixture(files, manifest);
    host = await startTestHost({ pluginRoot: plugin.root, ...settings });
    return host;
  }

  it('passes it the context and includes its health in that of the host', async () => {
    const running = await load({ 'main.js': GOOD }, {}, { pluginConfig: { colour: 'blue' } });
    expect(running.pluginActive).to.equal(true);
    const given = await running.request.get('/api/v1/ota/given').expect(200);
    expect(given.body).to.deep.equal({ role: 'all', config: { colour: 'blue' }, redis: false });
    const health = await running.request.get('/health/ready').expect(200);
    expect(health.body).to.deep.equal({
      status: 'ok',
      checks: {
        host: { healthy: true },
        database: { healthy: true },
        plugin: { healthy: true, checks: { engine: { healthy: true } } },
      },
    });
  });

  it('serves its metrics to the scraper with the token only', async () => {
    const metricsToken = 'scraper-token-for-tests';
    const running = await load({ 'main.js': GOOD }, {}, { metricsToken });
    const given = await running.as(metricsToken).get('/metrics').expect(200);
    expect(given.headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(given.text).to.equal('sample_total 1\n');
    await running.request.get('/metrics').expect(401);
    await running.as(`${metricsToken}x`).get('/metrics').expect(401);
    await running.as(running.adminToken).get('/metrics').expect(401);
  });

  it('serves no metrics if no token is configured', async () => {
    const running = await load({ 'main.js': GOOD });
    await running.as(running.adminToken).get('/metrics').expect(404);
  });

  it('shows its page to admins only', async () => {
    const running = await load({ 'main.js': GOOD });
    const admin = running.as(running.adminToken);
    const { body } = await admin.get('/api/v1/host/session').expect(200);
    expect(body).to.deep.include({
      user: { name: 'Operations admin', email: null },
      is_admin: true,
    });
    expect(body).to.have.nested.property('organization.name', 'Ops-Center');
    const pages = async (): Promise<{ id: string }[]> =>
      shellConfig((await admin.get('/admin').expect(200)).text).pages;
    expect((await pages()).filter(({ id }) => id === 'sample')).to.deep.equal([
      {
        id: 'sample',
        title: 'Sample',
        icon: 'page',
        section: 'Edge',
        path: '/admin/sample',
        module: '/plugins/sample/page.js',
        style: '/plugins/sample/page.css',
      },
    ]);
    await running.knex('users').where({ id: running.admin?.userId }).update({ is_admin: false });
    expect(await pages()).to.deep.equal([]);
  });

  it('logs what it did not remove when it was deactivated', async () => {
    const running = await load({ 'main.js': GOOD });
    await running.stop();
    expect(running.warnings.join('\n')).to.include('"leftovers":["page sample"]');
  });

  describe('that is broken leaves the host running and logs the reason:', () => {
    const FAILS_AFTER_MOUNTING = `
      import { Router } from ${EXPRESS};
      export async function activate(host) {
        host.http.mount('device', Router().get('/half', (q, r) => r.send('half')));
        throw new Error('no engine today');
      }
    `;
    const CASES: {
      what: string;
      files?: Record<string, string>;
      manifest?: Record<string, unknown>;
      reason: string;
    }[] = [
      { what: 'no manifest', files: { 'plugin.json': '{' }, reason: 'JSON' },
      {
        what: 'a manifest with several errors',
        manifest: { apiVersion: 2, id: 'Not An Id' },
        reason: '/apiVersion must be equal to constant; /id must match pattern',
      },
      {
        what: 'a main module outside the folder',
        manifest: { main: '../x.js' },
        reason: 'points outside of',
      },
      { what: 'no main module', files: {}, reason: 'Cannot find module' },
      { what: 'a syntax error', files: { 'main.js': 'export const = 1' }, reason: 'SyntaxError' },
      {
        what: 'no activate',
        files: { 'main.js': 'export const a = 1' },
        reason: 'does not export a function \\"activate\\"',
      },
      { what: 'another role', manifest: { roles: ['worker'] }, reason: 'does not run in the role' },
      {
        what: 'a failing activation',
        files: { 'main.js': FAILS_AFTER_MOUNTING },
        reason: 'no engine today',
      },
    ];
    for (const { what, files, manifest, reason } of CASES) {
      it(`G09 ${what}`, async () => {
        const running = await load(files ?? { 'main.js': GOOD }, manifest);
        expect(running.pluginActive).to.equal(false);
        expect(running.warnings.join('\n')).to.include(reason);
        await running.request.get('/login').expect(200);
        for (const path of ['/api/v1/ota/half', '/api/v1/ota', '/api/v1/admin/ota/deployments']) {
          const answer = await running.request.get(path).expect(503);
          expect(answer.get('Retry-After'), path).to.equal('5');
        }
        const health = await running.request.get('/health/ready').expect(503);
        expect(health.body).to.have.nested.property('checks.plugin.healthy', false);
      });
    }
  });

  it('whose health check hangs does not block the health of the host', async () => {
    const hanging = GOOD.replace('health: async () => (', 'health: () => new Promise(() => {}, ');
    const running = await load({ 'main.js': hanging });
    const health = await running.request.get('/health/ready').expect(503);
    expect(health.body).to.have.nested.property('checks.plugin.healthy', false);
    expect(health.body).to.have.nested.property('checks.database.healthy', true);
  });

  it('without the files of its page only makes those files a 404', async () => {
    const running = await load({ 'main.js': GOOD });
    await running.request.get('/plugins/sample/page.js').expect(404);
    await running.request.get('/plugins/unknown/page.js').expect(404);
  });

  it('serves nothing outside the folder of its page', async () => {
    const page = GOOD.replaceAll('/nowhere/', '${import.meta.dirname}/page/').replaceAll(
      /'(\$\{import.meta.dirname\}[^']*)'/g,
      '`$1`',
    );
    const running = await load({
      'main.js': page,
      'page/page.js': 'export const routes = [];',
      'secret.txt': 'secret',
    });
    await running.request.get('/plugins/sample/page.js').expect(200);
    for (const path of ['../secret.txt', '%2e%2e/secret.txt', '..%2fsecret.txt']) {
      const answer = await running.request.get(`/plugins/sample/${path}`);
      expect(answer.text, path).not.to.include('secret"').and.not.equal('secret');
      expect(answer.status, path).to.be.within(400, 404);
    }
  });

  it('as a worker serves health but no pages or routes', async () => {
    const running = await load({ 'main.js': GOOD }, {}, { role: 'worker' });
    expect(running.admin).to.equal(null);
    await running.request.get('/health/ready').expect(200);
    await running.request.get('/login').expect(404);
    await running.request.get('/api/v1/ota/given').expect(404);
  });
});
