import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';

import {
  startAdminsServer,
  type AdminsServer,
} from '../../support/published-platform/admins-server.ts';
import {
  createOpsCenterDatabase,
  type OpsCenterDatabase,
} from '../../support/published-platform/ops-center-database.ts';

describe('sessions that the platform is asked about', () => {
  let database: OpsCenterDatabase;
  let platform: Server;
  let server: AdminsServer;
  let userId: string;
  let answer: RequestListener;

  before(async () => {
    database = await createOpsCenterDatabase();
    userId = await database.addUser();
    await database.addMember(userId, await database.addOrganization('Alpha'), 'owner');
    platform = createServer((request, response) => answer(request, response));
    platform.listen(0, '127.0.0.1');
    await once(platform, 'listening');
    const { port } = platform.address() as AddressInfo;
    server = await startAdminsServer({
      knex: database.knex,
      settings: {
        platform: {
          auth_me: { url: `http://127.0.0.1:${port}/api/v1/auth/me`, timeout_ms: 1_000 },
          sign_in_url: '/auth/login?redirect={next}',
        },
      },
    });
  });

  after(async () => {
    platform.closeAllConnections();
    platform.close();
    await server.close();
    await database.drop();
  });

  const headers = {
    cookie: 'other=1; session_token=secret-of-the-session',
    'x-forwarded-for': '10.9.8.7',
  };
  const json =
    (body: unknown, status = 200): RequestListener =>
    (_request, response) =>
      void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(typeof body === 'string' ? body : JSON.stringify(body));

  it('are those of the user it answers with', async () => {
    answer = json({ user: { user_id: userId, email: 'a@example.com', role: 'user' } });
    expect(await server.who(headers)).to.include({ userId, name: 'a@example.com', isAdmin: true });
    answer = json({ id: userId, roles: ['user'] });
    expect(await server.who(headers)).to.include({ userId, isAdmin: true });
  });

  it('are asked about with the cookie of the session and nothing else of the request', async () => {
    let received: Record<string, unknown> = {};
    answer = (request, response) => {
      received = request.headers;
      json({ user: { user_id: userId } })(request, response);
    };
    await server.who({ ...headers, 'x-secret': 'x' });
    expect(received['cookie']).to.equal('session_token=secret-of-the-session');
    expect(received).not.to.have.any.keys('x-forwarded-for', 'x-secret', 'authorization');
  });

  for (const status of [401, 403]) {
    it(`are nobody's after a ${status}`, async () => {
      answer = json({ detail: 'no' }, status);
      expect(await server.who(headers)).to.equal(null);
    });
  }

  for (const body of ['<html>', '[]', '{"user":{"role":"admin"}}', '7']) {
    it(`are nobody's after a malformed answer: ${body}`, async () => {
      answer = json(body);
      expect(await server.who(headers)).to.equal(null);
    });
  }

  const outages: Record<string, RequestListener> = {
    'answers 500': json({ user: { user_id: 'x' } }, 500),
    'redirects to a login page': (_request, response) =>
      void response.writeHead(302, { location: '/login' }).end(),
    'never answers': () => undefined,
    'breaks the connection': (request) => void request.socket.destroy(),
    'stops in the middle of its answer': (_request, response) => void response.write('{"user":'),
    'answers with too much': json({ padding: 'x'.repeat(300_000) }),
  };
  for (const [what, listener] of Object.entries(outages)) {
    it(`let nobody in while the platform ${what}`, async () => {
      answer = listener;
      const { body } = await server.request.get('/who').set(headers).expect(503);
      expect(body).to.include({ code: 'unavailable' });
      expect(server.logs.join('')).not.to.include('secret-of-the-session');
      answer = json({ user: { user_id: userId } });
      expect(await server.who(headers)).to.include({ userId });
    });
  }

  it('begin at the login address of the platform, which is told where to return to', () => {
    expect(server.admins.signInUrl('/admin/edge/ota/deployments/1?tab=log')).to.equal(
      '/auth/login?redirect=%2Fadmin%2Fedge%2Fota%2Fdeployments%2F1%3Ftab%3Dlog',
    );
    expect(server.admins.signInUrl('https://evil.example')).to.equal(
      '/auth/login?redirect=%2Fadmin%2Fedge%2Fota',
    );
  });

  it('end at the platform', async () => {
    answer = json({ user: { user_id: userId } });
    const { body } = await server.request
      .get('/api/v1/ota-server/session')
      .set(headers)
      .expect(200)
      .expect('Cache-Control', 'no-store');
    expect(body).to.include({ sign_out: null, is_admin: true });
    await server.request.post('/api/v1/ota-server/sign-out').expect(404);
  });

  it('list the organizations for the shell', async () => {
    answer = json({ user: { user_id: userId } });
    const app = { get: (name: string) => (headers as Record<string, string>)[name] };
    const own = await server.admins.organizationsOf(app as never);
    expect(own.map(({ name, isAdmin }) => ({ name, isAdmin }))).to.deep.equal([
      { name: 'Alpha', isAdmin: true },
    ]);
  });
});
