import { expect } from 'chai';
import supertest from 'supertest';

import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';

const PLUGIN = `
  import { Router } from ${JSON.stringify(import.meta.resolve('express'))};
  export async function activate(host) {
    const router = Router().all('/who', async (request, response) => {
      response.json(await host.auth.admin(request));
    });
    const unmount = host.http.mount('admin', router);
    return {
      health: async () => ({ healthy: true, checks: {} }),
      deactivate: async () => unmount(),
    };
  }
`;
const WHO = '/api/v1/admin/ota/who';

describe('signing in', () => {
  let plugin: PluginFixture;
  let host: TestHost;

  before(async () => {
    plugin = await createPluginFixture({ 'main.js': PLUGIN });
    host = await startTestHost({ pluginRoot: plugin.root });
  });

  after(async () => {
    await host.dispose();
    await plugin.remove();
  });

  /** Keeps cookies and marks its requests as same-origin, as a browser does on the host's pages. */
  const browser = () => supertest.agent(host.url).set('Sec-Fetch-Site', 'same-origin');

  async function signedIn() {
    const agent = browser();
    await agent.post('/login').type('form').send({ token: host.adminToken }).expect(303);
    return agent;
  }

  it('is required before any page', async () => {
    const { headers } = await host.request.get('/admin/edge/ota').expect(302);
    expect(headers['location']).to.equal('/login?next=%2Fadmin%2Fedge%2Fota');
    await host.request.get('/api/v1/host/session').expect(401);
  });

  it('with the token opens a session', async () => {
    const agent = await signedIn();
    const { body } = await agent.get(WHO).expect(200);
    expect(body).to.include({ userId: host.admin?.userId, isAdmin: true });
    await agent.get('/admin').expect(200);
  });

  it('sets a cookie that scripts and other sites cannot use', async () => {
    const { headers } = await browser()
      .post('/login')
      .type('form')
      .send({ token: host.adminToken })
      .expect(303);
    expect(String(headers['set-cookie'])).to.match(/; Path=\/;.*; HttpOnly; SameSite=Lax/);
  });

  it('with an invalid token shows an error and opens no session', async () => {
    const answer = await browser()
      .post('/login')
      .type('form')
      .send({ token: '<b>guess</b>' })
      .expect(401);
    expect(answer.headers).not.to.have.property('set-cookie');
    expect(answer.text).to.include('This token is not valid').and.not.include('guess');
  });

  it('with a link works once', async () => {
    const { pathname, search } = new URL(await host.createLoginUrl());
    const agent = browser();
    await agent.get(pathname + search).expect(303, /\/admin/);
    expect((await agent.get(WHO)).body).to.include({ userId: host.admin?.userId });
    const again = await browser()
      .get(pathname + search)
      .expect(401);
    expect(again.text).to.include('This link was used before');
    await browser().get('/login?code=invalid').expect(401);
  });

  it('redirects to the requested page, but never to another site', async () => {
    const landing = async (next: string): Promise<unknown> => {
      const answer = await browser()
        .post('/login')
        .query({ next })
        .type('form')
        .send({ token: host.adminToken });
      return answer.headers['location'];
    };
    expect(await landing('/admin/edge/ota')).to.equal('/admin/edge/ota');
    for (const elsewhere of ['https://evil.example', '//evil.example', '/admin//evil', '/\\evil']) {
      expect(await landing(elsewhere), elsewhere).to.satisfy((target: string) =>
        target.startsWith('/admin'),
      );
    }
  });

  it('ends on sign-out', async () => {
    const agent = await signedIn();
    await agent.post('/logout').expect(303);
    expect((await agent.get(WHO)).body).to.equal(null);
  });

  it('ends when the session expires', async () => {
    const agent = await signedIn();
    await host.knex('user_sessions').update({ expires_at: host.knex.raw('now()') });
    expect((await agent.get(WHO)).body).to.equal(null);
  });

  describe('F72 requests from other sites', () => {
    it('are rejected if they use the session', async () => {
      const agent = await signedIn();
      for (const headers of [
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site', Origin: host.url },
        { 'Sec-Fetch-Site': 'cross-site', Authorization: 'Basic eDp5' },
      ]) {
        const { body } = await agent.post(WHO).set(headers).expect(403);
        expect(body).to.include({ code: 'cross_site' });
      }
    });

    it('are detected by their origin if the browser sends no Sec-Fetch-Site', async () => {
      const cookie = String((await signInHeaders())['set-cookie']).split(';')[0] ?? '';
      const send = (headers: Record<string, string>) =>
        host.request.post(WHO).set({ Cookie: cookie, ...headers });
      await send({ Origin: 'https://evil.example' }).expect(403);
      await send({ Origin: 'null' }).expect(403);
      await send({}).expect(403);
      await send({ Origin: host.url }).expect(200);
    });

    it('cannot sign anybody in or out', async () => {
      const agent = await signedIn();
      const foreign = { 'Sec-Fetch-Site': 'cross-site' };
      await agent.post('/logout').set(foreign).expect(403);
      await agent
        .post('/login')
        .set(foreign)
        .type('form')
        .send({ token: host.adminToken })
        .expect(403);
      expect((await agent.get(WHO)).body).to.include({ userId: host.admin?.userId });
    });

    it('are allowed with a bearer token, which browsers never send by themselves', async () => {
      const answer = await host
        .as(host.adminToken)
        .post(WHO)
        .set('Sec-Fetch-Site', 'cross-site')
        .expect(200);
      expect(answer.body).to.include({ userId: host.admin?.userId });
    });
  });

  async function signInHeaders(): Promise<Record<string, unknown>> {
    const answer = await browser()
      .post('/login')
      .type('form')
      .send({ token: host.adminToken })
      .expect(303);
    return answer.headers;
  }
});
