import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { startRedisServer } from '../../../dev/redis/redis-server.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { freePort } from '../../../backend/server/postgres/free-port.ts';
import {
  startAdminsServer,
  type AdminsServer,
} from '../../support/published-platform/admins-server.ts';
import {
  createOpsCenterDatabase,
  type MembersColumn,
  type OpsCenterDatabase,
} from '../../support/published-platform/ops-center-database.ts';
import { testRedisUrl } from '../../support/test-services.ts';

const SESSION_ROUTE = '/api/v1/ota-server/session';
const CHOICE_ROUTE = '/api/v1/ota-server/organization';

const spellings: MembersColumn[] = [
  'org_id uuid',
  'organization_id uuid',
  'organization_id varchar',
];

for (const spelling of spellings) {
  describe(`sessions of the platform in Redis, with members by ${spelling}`, () => {
    let database: OpsCenterDatabase;
    let server: AdminsServer;
    let redis: Redis;
    let alpha: string;
    let beta: string;
    let foreign: string;

    before(async function () {
      const url = await testRedisUrl();
      if (url === null) return this.skip();
      redis = new Redis(url, { db: 3 });
      database = await createOpsCenterDatabase(spelling);
      [alpha, beta, foreign] = (await Promise.all(
        ['Alpha', 'Beta', 'Foreign'].map((name) => database.addOrganization(name)),
      )) as [string, string, string];
      server = await startAdminsServer({
        knex: database.knex,
        settings: { platform: { redis: { url, database: 3 } } },
      });
    });

    after(async () => {
      await server?.close();
      await database?.drop();
      redis?.disconnect();
    });

    /** Opens a session of the platform. Returns the headers of a browser that has it. */
    async function session(content: unknown): Promise<{ cookie: string }> {
      const token = randomBytes(32).toString('base64url');
      const json = typeof content === 'string' ? content : JSON.stringify(content);
      await redis.set(`session:${token}`, json, 'EX', 7200);
      return { cookie: `theme=dark; session_token=${token}` };
    }

    async function memberOf(organizationId: string, role = 'member'): Promise<string> {
      const userId = await database.addUser();
      await database.addMember(userId, organizationId, role);
      return userId;
    }

    for (const field of ['user_id', 'sub', 'id']) {
      it(`an owner is an admin of the organization (user by ${field})`, async () => {
        const userId = await memberOf(beta, 'owner');
        const user = { [field]: userId, email: 'ops@example.com', role: 'user' };
        expect(await server.who(await session({ user }))).to.deep.equal({
          userId,
          name: 'ops@example.com',
          organizationId: beta,
          isAdmin: true,
        });
      });
    }

    it('a member is signed in, but no admin', async () => {
      const user_id = await memberOf(alpha);
      const identity = await server.who(await session({ user: { user_id, role: 'user' } }));
      expect(identity).to.include({ organizationId: alpha, isAdmin: false });
    });

    for (const roles of [{ role: 'admin' }, { roles: ['viewer', 'admin'] }]) {
      it(`an admin of the platform is one where they are a member (${JSON.stringify(roles)})`, async () => {
        const user_id = await memberOf(beta);
        const headers = await session({ user: { user_id, ...roles } });
        const there = { cookie: `${headers.cookie}; ota_organization=${foreign}` };
        expect(await server.who(there)).to.include({ organizationId: beta, isAdmin: true });
      });
    }

    it('an admin of the platform without an organization is no admin', async () => {
      const user = { user_id: await database.addUser(), role: 'admin' };
      expect(await server.who(await session({ user }))).to.include({ isAdmin: false });
    });

    it('a system admin is an admin of every organization', async () => {
      const user = { user_id: await database.addUser(), role: 'system_admin' };
      const { cookie } = await session({ user });
      expect(await server.who({ cookie })).to.include({ organizationId: alpha, isAdmin: true });
      const chosen = { cookie: `${cookie}; ota_organization=${foreign}` };
      expect(await server.who(chosen)).to.include({ organizationId: foreign, isAdmin: true });
    });

    it('a user of several organizations chooses one, and not a foreign one', async () => {
      const user_id = await memberOf(beta, 'admin');
      await database.addMember(user_id, alpha);
      const { cookie } = await session({ user: { user_id, email: 'two@example.com' } });
      const choose = (organization_id: string, site = 'same-origin') =>
        server.request
          .post(CHOICE_ROUTE)
          .set({ cookie, 'sec-fetch-site': site })
          .send({ organization_id });

      const { body } = await server.request.get(SESSION_ROUTE).set({ cookie }).expect(200);
      expect(body).to.deep.equal({
        user: { name: 'two@example.com', email: 'two@example.com' },
        organization: { id: alpha, name: 'Alpha' },
        organizations: [
          { id: alpha, name: 'Alpha' },
          { id: beta, name: 'Beta' },
        ],
        is_admin: false,
        sign_out: null,
      });

      const chosen = await choose(beta).expect(204);
      expect(chosen.headers['set-cookie']?.[0]).to.match(
        new RegExp(`^ota_organization=${beta}; Max-Age=\\d+; Path=/; .*HttpOnly; SameSite=Lax$`),
      );
      const after = { cookie: `${cookie}; ota_organization=${beta}` };
      expect(await server.who(after)).to.include({ organizationId: beta, isAdmin: true });

      await choose(foreign).expect(403);
      await choose('x').expect(400);
      const { body: refused } = await choose(beta, 'cross-site').expect(403);
      expect(refused).to.include({ code: 'cross_site' });
    });

    for (const [what, value] of Object.entries({
      foreign: (): string => foreign,
      unknown: (): string => randomUUID(),
      malformed: (): string => "'; DROP TABLE organizations; --",
    })) {
      it(`the ${what} organization of a cookie is ignored`, async () => {
        const user_id = await memberOf(beta, 'owner');
        const { cookie } = await session({ user: { user_id } });
        const headers = { cookie: `ota_organization=${value()}; ${cookie}` };
        expect(await server.who(headers)).to.include({ organizationId: beta, isAdmin: true });
      });
    }

    it('a member who is removed loses access with the next request', async () => {
      const user_id = await memberOf(beta, 'owner');
      const headers = await session({ user: { user_id } });
      expect(await server.who(headers)).to.include({ isAdmin: true });
      await database.knex('organization_members').where({ user_id }).delete();
      expect(await server.who(headers)).to.include({ isAdmin: false });
    });

    it('an unknown session is nobody', async () => {
      expect(await server.who({ cookie: 'session_token=of-another-platform' })).to.equal(null);
      expect(await server.who({ cookie: 'session_token=' })).to.equal(null);
      expect(await server.who({ cookie: `session_token=${'x'.repeat(5_000)}` })).to.equal(null);
      expect(await server.who({})).to.equal(null);
      await server.request.get(SESSION_ROUTE).expect(401);
    });

    it('a user id that is no UUID has no organization', async () => {
      const identity = await server.who(await session({ user: { sub: 'service', role: 'admin' } }));
      expect(identity).to.include({ userId: 'service', isAdmin: false });
    });

    it('a request of another site with the cookie is rejected', async () => {
      const headers = await session({ user: { user_id: await memberOf(beta, 'owner') } });
      await server.request
        .post('/who')
        .set(headers)
        .set('sec-fetch-site', 'cross-site')
        .expect(403);
      await server.request
        .post('/who')
        .set(headers)
        .set('origin', 'https://evil.example')
        .expect(403);
      await server.request
        .post('/who')
        .set(headers)
        .set('sec-fetch-site', 'same-origin')
        .expect(200);
    });

    const id = randomUUID();
    for (const malformed of [
      'not json',
      '',
      'null',
      '[]',
      '"text"',
      '{}',
      '{"user":null}',
      '{"user":[]}',
      '{"user":"root"}',
      '{"user":{}}',
      '{"user":{"user_id":{"$ne":1}}}',
      '{"user":{"user_id":7,"role":"admin"}}',
      '{"user":{"user_id":""}}',
      `{"user":{"user_id":"${'x'.repeat(300)}"}}`,
      '{"user":{"user_id":"a\\u0000b"}}',
      `{"user":{"user_id":"${id}","role":{"admin":true}}}`,
      `{"user":{"user_id":"${id}","roles":[["admin"],7]}}`,
      `{"__proto__":{"user":{"user_id":"${id}","role":"system_admin"}}}`,
      `{"user":{"__proto__":{"user_id":"${id}","role":"system_admin"}}}`,
      `{"user":{"user_id":"${id}","padding":"${'x'.repeat(300_000)}"}}`,
    ]) {
      it(`a malformed session is nobody: ${malformed.slice(0, 60)}`, async () => {
        const headers = await session(malformed);
        expect(await server.who(headers)).to.equal(null);
        const token = headers.cookie.split('session_token=')[1] as string;
        const log = server.logs.join('');
        expect(log).to.include('A session in the Redis of the platform is malformed');
        expect(log).not.to.include(token);
      });
    }
  });
}

describe('the Redis of the platform', () => {
  it('lets nobody in while it is away, and everybody once it is back', async function () {
    const database = await createOpsCenterDatabase();
    const port = await freePort();
    const first = await startRedisServer(port);
    if (first === null) {
      await database.drop();
      return this.skip();
    }
    const userId = await database.addUser();
    await database.addMember(userId, await database.addOrganization('Alpha'), 'owner');
    const server = await startAdminsServer({
      knex: database.knex,
      settings: { platform: { redis: { url: first.url } } },
    });
    const openSession = async (): Promise<void> => {
      const redis = new Redis(first.url);
      await redis.set('session:secret-of-the-session', JSON.stringify({ user: { sub: userId } }));
      await redis.quit();
    };
    const headers = { cookie: 'session_token=secret-of-the-session' };
    const check = server.admins.healthChecks['platform_sessions'];
    try {
      await openSession();
      expect(await server.who(headers)).to.include({ userId, isAdmin: true });
      await check?.run();

      await first.stop();
      const { body } = await server.request.get('/who').set(headers).expect(503);
      expect(body).to.include({ code: 'unavailable' });
      await server.request.get(SESSION_ROUTE).set(headers).expect(503);
      const problem = await Promise.resolve(check?.run()).catch((error: unknown) => error);
      expect(problem).to.be.instanceOf(Error);

      const second = await startRedisServer(port);
      await openSession();
      await waitFor(() => server.who(headers), { describe: 'the session is found again' });
      await second?.stop();
      expect(server.logs.join('')).not.to.include('secret-of-the-session');
    } finally {
      await server.close();
      await database.drop();
    }
  });

  it('lets nobody in while it accepts connections but does not answer', async () => {
    const database = await createOpsCenterDatabase();
    const stuck = createServer().listen(0, '127.0.0.1');
    await once(stuck, 'listening');
    const sockets = new Set<Socket>();
    stuck.on('connection', (socket) => sockets.add(socket));
    const { port } = stuck.address() as AddressInfo;
    const server = await startAdminsServer({
      knex: database.knex,
      settings: { platform: { redis: { url: `redis://127.0.0.1:${port}` } } },
    });
    try {
      await server.request.get('/who').set('cookie', 'session_token=x').expect(503);
    } finally {
      await server.close();
      for (const socket of sockets) socket.destroy();
      stuck.close();
      await database.drop();
    }
  });

  it('is logged without the token if it rejects the command', async function () {
    const url = await testRedisUrl();
    if (url === null) return this.skip();
    const database = await createOpsCenterDatabase();
    const redis = new Redis(url);
    await redis.rpush('session:wrong-type', 'x');
    const server = await startAdminsServer({
      knex: database.knex,
      settings: { platform: { redis: { url } } },
    });
    try {
      await server.request.get('/who').set('cookie', 'session_token=wrong-type').expect(503);
      expect(server.logs.join('')).to.include('WRONGTYPE').and.not.to.include('wrong-type');
    } finally {
      await redis.del('session:wrong-type');
      redis.disconnect();
      await server.close();
      await database.drop();
    }
  });
});

describe('a platform without the table organization_members', () => {
  let database: OpsCenterDatabase;
  let server: AdminsServer;
  let redis: Redis;

  before(async function () {
    const url = await testRedisUrl();
    if (url === null) return this.skip();
    redis = new Redis(url);
    database = await createOpsCenterDatabase(null);
    server = await startAdminsServer({
      knex: database.knex,
      settings: { platform: { redis: { url, key_prefix: 'other:' } } },
    });
  });

  after(async () => {
    await server?.close();
    await database?.drop();
    redis?.disconnect();
  });

  it('is a problem of the configuration, which is named', async () => {
    await redis.set('other:t1', JSON.stringify({ user: { id: randomUUID(), role: 'admin' } }));
    const { body } = await server.request.get('/who').set('cookie', 'session_token=t1').expect(503);
    expect(body.detail).to.match(/^The table organization_members is missing/);
    expect(server.logs.join('')).to.include('The table organization_members is missing');
  });

  it('uses the organization that the session names', async () => {
    const organizationId = await database.addOrganization('Alpha');
    const user = { id: randomUUID(), role: 'admin', organization_id: organizationId };
    await redis.set('other:t2', JSON.stringify({ user }));
    await redis.set('other:t3', JSON.stringify({ user: { ...user, role: 'user' } }));
    const named = await server.who({ cookie: 'session_token=t2' });
    expect(named).to.include({ organizationId, isAdmin: true });
    const member = await server.who({ cookie: 'session_token="t3"' });
    expect(member).to.include({ organizationId, isAdmin: false });
  });

  it('is used as soon as the table exists', async () => {
    const user_id = await database.addUser();
    await redis.set('other:t4', JSON.stringify({ user: { user_id } }));
    await database.knex.raw(
      'CREATE TABLE organization_members (user_id uuid, org_id uuid, role text)',
    );
    const org_id = await database.addOrganization('Beta');
    await database.knex('organization_members').insert({ user_id, org_id, role: 'owner' });
    expect(await server.who({ cookie: 'session_token=t4' })).to.include({ isAdmin: true });

    await database.knex.raw(
      'ALTER TABLE organization_members RENAME COLUMN org_id TO organization_id',
    );
    // The first request fails with the old column.
    await server.request.get('/who').set('cookie', 'session_token=t4').expect(500);
    expect(await server.who({ cookie: 'session_token=t4' })).to.include({ isAdmin: true });
  });
});

describe('an invalid bearer token', () => {
  it('is not replaced by the session of a cookie', async function () {
    const url = await testRedisUrl();
    if (url === null) return this.skip();
    const database = await createOpsCenterDatabase();
    const server = await startAdminsServer({
      knex: database.knex,
      settings: { platform: { redis: { url } } },
    });
    const redis = new Redis(url);
    try {
      const user = { id: randomUUID(), role: 'system_admin' };
      await redis.set('session:valid', JSON.stringify({ user }));
      const cookie = 'session_token=valid';
      expect(await server.who({ cookie })).to.include({ userId: user.id });
      expect(await server.who({ cookie, authorization: 'Bearer wrong' })).to.equal(null);
      // Not a bearer token, so the cookie counts, and the protection against other sites applies.
      expect(await server.who({ cookie, authorization: 'Basic eDp5' })).to.include({
        userId: user.id,
      });
    } finally {
      redis.disconnect();
      await server.close();
      await database.drop();
    }
  });
});
