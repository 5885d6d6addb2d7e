import { createPublicKey, randomUUID } from 'node:crypto';

import { expect } from 'chai';
import { base64url, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';

import {
  startAdminsServer,
  type AdminsServer,
} from '../../support/published-platform/admins-server.ts';
import { CookieBrowser } from '../../support/published-platform/cookie-browser.ts';
import {
  AUDIENCE,
  CLIENT_ID,
  CLIENT_SECRET,
  nowSeconds,
  startOpenIdProvider,
  type OpenIdProvider,
} from '../../support/published-platform/openid-provider.ts';
import {
  createOpsCenterDatabase,
  type OpsCenterDatabase,
} from '../../support/published-platform/ops-center-database.ts';

const API = '/api/v1/ota-server';
const PAGE = '/admin/edge/ota';
const PUBLIC_ORIGIN = 'http://ops.localhost';
const CLAIMS = {
  admin: 'realm_access.roles',
  admin_values: ['ota-admin'],
  system_admin_values: ['root'],
};
const ADMIN = { realm_access: { roles: ['user', 'ota-admin'] } };
const SECRET = 'a secret of this test with 32 letters or more';

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

describe('access tokens of an OpenID provider', () => {
  let database: OpsCenterDatabase;
  let provider: OpenIdProvider;
  let server: AdminsServer;
  let userId: string;
  let alpha: string;

  before(async () => {
    database = await createOpsCenterDatabase();
    userId = await database.addUser();
    alpha = await database.addOrganization('Alpha');
    await database.addMember(userId, alpha);
    provider = await startOpenIdProvider({
      redirectUris: ['http://unused.localhost/'],
      accessTokens: 'jwt',
    });
    server = await startAdminsServer({
      knex: database.knex,
      settings: { oidc: { issuer: provider.issuer, audience: AUDIENCE, claims: CLAIMS } },
    });
  });

  after(async () => {
    await server.close();
    await provider.close();
    await database.drop();
  });

  it('make a member with the role an admin of their organization', async () => {
    const token = await provider.token({ sub: userId, name: 'Ada', ...ADMIN }, { typ: 'at+jwt' });
    expect(await server.who(bearer(token))).to.deep.equal({
      userId,
      name: 'Ada',
      organizationId: alpha,
      isAdmin: true,
    });
  });

  it('without the role are signed in, but no admin', async () => {
    const token = await provider.token({ sub: userId, realm_access: { roles: ['user'] } });
    expect(await server.who(bearer(token))).to.include({ organizationId: alpha, isAdmin: false });
    const bare = await provider.token({ sub: userId, realm_access: 'ota-admin' });
    expect(await server.who(bearer(bare))).to.include({ isAdmin: false });
  });

  it('with the role but without an organization are no admin', async () => {
    const token = await provider.token({ sub: randomUUID(), ...ADMIN });
    expect(await server.who(bearer(token))).to.include({ isAdmin: false });
  });

  it('with the role of a system admin are admins of any organization', async () => {
    const token = await provider.token({ sub: randomUUID(), realm_access: { roles: ['root'] } });
    expect(await server.who(bearer(token))).to.include({ organizationId: alpha, isAdmin: true });
  });

  const invalid: Record<string, () => Promise<string> | string> = {
    'another issuer': () => provider.token({ sub: userId, ...ADMIN, iss: 'https://evil.example' }),
    'another audience': () => provider.token({ sub: userId, ...ADMIN, aud: 'account' }),
    'no audience': () => provider.token({ sub: userId, ...ADMIN, aud: undefined }),
    'an expiry in the past': () =>
      provider.token({ sub: userId, ...ADMIN, exp: nowSeconds() - 60 }),
    'no expiry': () => provider.token({ sub: userId, ...ADMIN, exp: undefined }),
    'a start in the future': () =>
      provider.token({ sub: userId, ...ADMIN, nbf: nowSeconds() + 600 }),
    'no user': () => provider.token(ADMIN),
    'the algorithm "none"': () =>
      new UnsecuredJWT({ sub: userId, ...ADMIN, iss: provider.issuer, aud: AUDIENCE })
        .setExpirationTime('5m')
        .encode(),
    'HS256 and the public key as its secret': () => {
      const pem = createPublicKey({ key: provider.publicKey as never, format: 'jwk' }).export({
        type: 'spki',
        format: 'pem',
      });
      return new SignJWT({ sub: userId, ...ADMIN, iss: provider.issuer, aud: AUDIENCE })
        .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(String(pem)));
    },
    'the key of somebody else': async () => {
      const { privateKey } = await generateKeyPair('RS256');
      return new SignJWT({ sub: userId, ...ADMIN, iss: provider.issuer, aud: AUDIENCE })
        .setProtectedHeader({ alg: 'RS256', kid: 'key-1' })
        .setExpirationTime('5m')
        .sign(privateKey);
    },
    'a key of its own in the header': async () => {
      const { privateKey, publicKey } = await generateKeyPair('RS256');
      return new SignJWT({ sub: userId, ...ADMIN, iss: provider.issuer, aud: AUDIENCE })
        .setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey), kid: 'key-2' })
        .setExpirationTime('5m')
        .sign(privateKey);
    },
    'changed claims': async () => {
      const [header, , signature] = (await provider.token({ sub: userId })).split('.');
      const claims = { sub: userId, ...ADMIN, iss: provider.issuer, aud: AUDIENCE, exp: 9e9 };
      return [header, base64url.encode(JSON.stringify(claims)), signature].join('.');
    },
    'the type of an ID token': () => provider.token({ sub: userId, ...ADMIN, typ: 'ID' }),
    'the hash of an access token': () => provider.token({ sub: userId, ...ADMIN, at_hash: 'x' }),
    'the type of a logout token': () =>
      provider.token({ sub: userId, ...ADMIN }, { typ: 'logout+jwt' }),
    'no meaning': () => 'a.b.c',
    'two parts': () => 'a.b',
  };
  for (const [what, token] of Object.entries(invalid)) {
    it(`with ${what} are rejected`, async () => {
      expect(await server.who(bearer(await token()))).to.equal(null);
    });
  }

  it('of a provider that was never reached let nobody in, until it is back', async () => {
    const second = await startAdminsServer({
      knex: database.knex,
      settings: { oidc: { issuer: provider.issuer, audience: AUDIENCE, claims: CLAIMS } },
    });
    try {
      const token = await provider.token({ sub: userId, ...ADMIN });
      const check = second.admins.healthChecks['openid_provider'];
      provider.fail(true);
      await second.request.get('/who').set(bearer(token)).expect(503);
      const problem = await Promise.resolve(check?.run()).catch((error: unknown) => error);
      expect(problem).to.be.instanceOf(Error);
      expect(second.logs.join(''))
        .to.include('The OpenID provider does not respond')
        .and.not.to.include(token);
      provider.fail(false);
      expect(await second.who(bearer(token))).to.include({ userId, isAdmin: true });
      await check?.run();
      // Its keys are known by now.
      provider.fail(true);
      expect(await second.who(bearer(token))).to.include({ userId, isAdmin: true });
    } finally {
      provider.fail(false);
      await second.close();
    }
  });
});

describe('a claim with the organization', () => {
  it('decides instead of the memberships', async () => {
    const database = await createOpsCenterDatabase(null);
    const provider = await startOpenIdProvider({
      redirectUris: ['http://unused.localhost/'],
      accessTokens: 'jwt',
    });
    const server = await startAdminsServer({
      knex: database.knex,
      settings: {
        oidc: {
          issuer: provider.issuer,
          audience: AUDIENCE,
          claims: { ...CLAIMS, organization: 'https://example.com/organization' },
        },
      },
    });
    try {
      const alpha = await database.addOrganization('Alpha');
      const beta = await database.addOrganization('Beta');
      const who = async (claim: unknown) => {
        const claims = { sub: 'ada', ...ADMIN, 'https://example.com/organization': claim };
        return server.who(bearer(await provider.token(claims)));
      };
      expect(await who(beta)).to.include({ userId: 'ada', organizationId: beta, isAdmin: true });
      expect(await who([beta, alpha])).to.include({ organizationId: alpha, isAdmin: true });
      for (const wrong of [undefined, null, 'Alpha', randomUUID(), {}, 7]) {
        expect(await who(wrong), JSON.stringify(wrong)).to.include({ isAdmin: false });
      }
    } finally {
      await server.close();
      await provider.close();
      await database.drop();
    }
  });
});

for (const accessTokens of ['jwt', 'opaque'] as const) {
  describe(`sign-in with an OpenID provider with ${accessTokens} access tokens`, () => {
    const basePath = '/ops';
    let database: OpsCenterDatabase;
    let provider: OpenIdProvider;
    let server: AdminsServer;
    let userId: string;
    let alpha: string;

    before(async () => {
      database = await createOpsCenterDatabase();
      alpha = await database.addOrganization('Alpha');
      userId = await database.addUser();
      await database.addMember(userId, alpha);
      provider = await startOpenIdProvider({
        redirectUris: [`${PUBLIC_ORIGIN}${basePath}${API}/callback`],
        accessTokens,
      });
      server = await start(SECRET);
    });

    after(async () => {
      await server.close();
      await provider.close();
      await database.drop();
    });

    beforeEach(() => {
      provider.user = {
        id: userId,
        claims: { name: 'Ada', email: 'ada@example.com', ...ADMIN },
      };
    });

    function start(secret: string, publicOrigin = PUBLIC_ORIGIN): Promise<AdminsServer> {
      return startAdminsServer({
        knex: database.knex,
        basePath,
        publicOrigin,
        settings: {
          oidc: {
            issuer: provider.issuer,
            claims: CLAIMS,
            sign_in: { client_id: CLIENT_ID, client_secret: CLIENT_SECRET, session_secret: secret },
          },
        },
      });
    }

    const origin = (): string => new URL(server.url).origin;

    /** Signs in at the provider. Returns the address of the callback, without opening it. */
    async function untilCallback(browser: CookieBrowser, next = PAGE): Promise<string> {
      const address = server.admins.signInUrl(next) as string;
      const { url } = await browser.open(origin() + address, {}, /\/callback\?/);
      expect(url.href).to.match(/^http:\/\/ops\.localhost\/ops\/api\/v1\/ota-server\/callback\?/);
      // The proxy of the test.
      return origin() + url.pathname + url.search;
    }

    async function signIn(browser: CookieBrowser, next = PAGE) {
      return browser.open(await untilCallback(browser, next), {}, /\/admin/);
    }

    const whoIs = (browser: CookieBrowser) =>
      server.who({ cookie: browser.cookieHeader(new URL(`${server.url}/who`)) });

    it('opens a session and returns to the page', async () => {
      const browser = new CookieBrowser();
      const visit = await signIn(browser, `${PAGE}/deployments/7?tab=log`);
      expect(visit.url.pathname + visit.url.search).to.equal(
        '/ops/admin/edge/ota/deployments/7?tab=log',
      );
      const cookie = visit.cookies.find((line) => line.startsWith('ota_session='));
      expect(cookie).to.match(/; Max-Age=28800; Path=\/ops; .*HttpOnly; SameSite=Lax$/);
      expect(await whoIs(browser)).to.deep.equal({
        userId,
        name: 'Ada',
        organizationId: alpha,
        isAdmin: true,
      });
      const { body } = await browser.open(`${server.url}${API}/session`);
      expect(JSON.parse(body)).to.deep.equal({
        user: { name: 'Ada', email: 'ada@example.com' },
        organization: { id: alpha, name: 'Alpha' },
        organizations: [{ id: alpha, name: 'Alpha' }],
        is_admin: true,
        sign_out: '/ops/api/v1/ota-server/sign-out',
      });
    });

    it('of somebody without the role opens a session that is no admin’s', async () => {
      provider.user = { id: userId, claims: { realm_access: { roles: ['user'] } } };
      const browser = new CookieBrowser();
      await signIn(browser);
      expect(await whoIs(browser)).to.include({ userId, name: null, isAdmin: false });
    });

    it('asks for PKCE, a state and a nonce, new ones each time', async () => {
      const seen = new Set<string>();
      for (let time = 0; time < 2; time++) {
        const answer = await server.request.get(`${API}/sign-in`).expect(303);
        const { searchParams } = new URL(answer.headers['location'] as string);
        expect(searchParams.get('code_challenge_method')).to.equal('S256');
        for (const name of ['code_challenge', 'state', 'nonce']) {
          const value = searchParams.get(name) as string;
          expect(value).to.have.lengthOf.at.least(32);
          expect(seen.has(value)).to.equal(false);
          seen.add(value);
        }
      }
    });

    for (const next of [
      'https://evil.example/',
      '//evil.example/admin/edge/ota',
      '/\\evil.example/admin/edge/ota',
      '/admin/edge/ota/../../../api/v1/edge/devices',
      '/admin/edge/otax',
      'javascript:alert(1)',
      '/admin/edge/ota\r\nSet-Cookie: a=b/..//evil.example',
      '/logout',
    ]) {
      it(`never returns to ${JSON.stringify(next)}`, async () => {
        const browser = new CookieBrowser();
        const address = `${server.url}${API}/sign-in?next=${encodeURIComponent(next)}`;
        const { url } = await browser.open(address, {}, /\/callback\?/);
        const visit = await browser.open(origin() + url.pathname + url.search, {}, /\/admin/);
        expect(visit.url.origin).to.equal(origin());
        expect(visit.url.pathname).to.match(/^\/ops\/admin\/edge\/ota(\/|$)/);
      });
    }

    it('that the user cancels opens no session', async () => {
      provider.user = null;
      const browser = new CookieBrowser();
      const { status, cookies } = await browser.open(await untilCallback(browser));
      expect(status).to.equal(401);
      expect(cookies.join()).not.to.include('ota_session');
    });

    it('cannot be finished in another browser', async () => {
      const address = await untilCallback(new CookieBrowser());
      const { status, cookies } = await new CookieBrowser().open(address);
      expect(status).to.equal(401);
      expect(cookies.join()).not.to.include('ota_session');
    });

    it('cannot be finished with the code of another sign-in', async () => {
      const [own, other] = [new CookieBrowser(), new CookieBrowser()];
      const address = new URL(await untilCallback(own));
      const foreign = new URL(await untilCallback(other));
      address.searchParams.set('code', foreign.searchParams.get('code') as string);
      expect((await own.open(address.href)).status).to.equal(401);
      expect(await whoIs(own)).to.equal(null);
    });

    it('cannot be finished with a state that was changed', async () => {
      const browser = new CookieBrowser();
      const address = new URL(await untilCallback(browser));
      address.searchParams.set('state', `${address.searchParams.get('state')}x`);
      expect((await browser.open(address.href)).status).to.equal(401);
    });

    it('cannot be finished twice', async () => {
      const browser = new CookieBrowser();
      const address = await untilCallback(browser);
      await browser.open(address, {}, /\/admin/);
      expect((await browser.open(address)).status).to.equal(401);
    });

    it('can go on in two tabs at the same time', async () => {
      const browser = new CookieBrowser();
      const first = await untilCallback(browser);
      const second = await untilCallback(browser);
      for (const address of [first, second]) {
        expect((await browser.open(address, {}, /\/admin/)).url.pathname).to.equal(`/ops${PAGE}`);
      }
    });

    it('answers 503 while the provider is away', async () => {
      const browser = new CookieBrowser();
      const address = await untilCallback(browser);
      provider.fail(true);
      try {
        expect((await browser.open(address)).status).to.equal(503);
      } finally {
        provider.fail(false);
      }
      expect(await whoIs(browser)).to.equal(null);
    });

    it('ends for every copy of the cookie with sign-out, and at the provider', async () => {
      const browser = new CookieBrowser();
      await signIn(browser);
      const copy = browser.cookieHeader(new URL(`${server.url}/who`));
      const post = (site: string) =>
        browser.open(`${server.url}${API}/sign-out`, {
          method: 'POST',
          headers: { 'sec-fetch-site': site },
        });
      expect((await post('cross-site')).status).to.equal(403);
      expect(await server.who({ cookie: copy })).to.include({ isAdmin: true });

      const { status, body } = await post('same-origin');
      expect(status).to.equal(200);
      const { location } = JSON.parse(body) as { location: string };
      expect(location).to.match(new RegExp(`^${provider.issuer}/session/end\\?.*client_id=ota`));
      expect(await whoIs(browser)).to.equal(null);
      expect(await server.who({ cookie: copy })).to.equal(null);
      expect((await post('same-origin')).status).to.equal(200);
    });

    it('is valid on every server with the same secret, and fails closed with another', async () => {
      const browser = new CookieBrowser();
      await signIn(browser);
      const cookie = browser.cookieHeader(new URL(`${server.url}/who`));
      const same = await start(SECRET);
      const other = await start(`${SECRET} but another one`);
      try {
        expect(await same.who({ cookie })).to.include({ userId, isAdmin: true });
        expect(await other.who({ cookie })).to.equal(null);
        expect(other.logs.join('')).to.match(
          /"level":40.*encrypted with another secret.*session_secret/,
        );
        expect(same.logs.join('')).not.to.include('another secret');

        const address = new URL(await untilCallback(browser));
        const elsewhere = other.url + address.pathname.slice(basePath.length) + address.search;
        const headers = { cookie: browser.cookieHeader(address) };
        expect((await new CookieBrowser().open(elsewhere)).status).to.equal(401);
        const answer = await fetch(elsewhere, { headers, redirect: 'manual' });
        expect(answer.status).to.equal(401);
      } finally {
        await same.close();
        await other.close();
      }
    });

    it('has a cookie that cannot be changed or used for another purpose', async () => {
      const browser = new CookieBrowser();
      const answer = await server.request.get(`${API}/sign-in`);
      const attempt = /ota_sign_in_[^=]+=([^;]+)/.exec(
        answer.headers['set-cookie']?.[0] ?? '',
      )?.[1];
      expect(await server.who({ cookie: `ota_session=${attempt}` })).to.equal(null);
      await signIn(browser);
      const cookie = browser.cookieHeader(new URL(`${server.url}/who`));
      const parts = cookie.split('.');
      const text = parts[3] as string;
      parts[3] = (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
      expect(await server.who({ cookie: parts.join('.') })).to.equal(null);
      for (const garbage of ['x', 'a.b.c.d.e', '....', cookie.slice(0, 80)]) {
        expect(await server.who({ cookie: `ota_session=${garbage}` }), garbage).to.equal(null);
      }
    });

    it('sets cookies for HTTPS only if that is the public address', async () => {
      const secure = await start(SECRET, 'https://ops.example.com');
      try {
        const answer = await secure.request.get(`${API}/sign-in`).expect(303);
        expect(answer.headers['set-cookie']?.[0]).to.match(
          /; Path=\/ops; .*HttpOnly; Secure; SameSite=Lax$/,
        );
        const { searchParams } = new URL(answer.headers['location'] as string);
        expect(searchParams.get('redirect_uri')).to.equal(
          'https://ops.example.com/ops/api/v1/ota-server/callback',
        );
      } finally {
        await secure.close();
      }
    });

    it('writes no token and no cookie to the log', async () => {
      const browser = new CookieBrowser();
      await signIn(browser);
      const log = server.logs.join('');
      expect(log)
        .to.include('Signed in')
        .and.not.to.include(CLIENT_SECRET)
        .and.not.to.include('eyJ');
    });

    it('does not accept access tokens without a configured audience', async () => {
      const token = await provider.token({ sub: userId, ...ADMIN });
      expect(await server.who(bearer(token))).to.equal(null);
    });
  });
}
