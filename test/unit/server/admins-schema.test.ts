import { randomUUID } from 'node:crypto';

import { expect } from 'chai';

import { isConfidential } from '../../../backend/server/admins/private-url.ts';
import { readAdminsSettings } from '../../support/published-platform/admins-server.ts';

const redis = { url: 'redis://redis:6379' };
const token = { name: 'ci', sha256: 'a'.repeat(64), organization_id: randomUUID() };
const oidc = {
  issuer: 'https://id.example.com/realms/ops',
  audience: 'ota',
  claims: { admin: 'realm_access.roles', admin_values: ['admin'] },
};
const signIn = { client_id: 'ota', session_secret: 's'.repeat(32) };

function faults(settings: object): string[] {
  try {
    readAdminsSettings(settings);
    return [];
  } catch (error) {
    const { details } = error as { details: { path: string[] }[] };
    return [...new Set(details.map(({ path }) => path.join('.')))];
  }
}

describe('the settings of admins', () => {
  it('have defaults that fit a published Ops-Center', () => {
    expect(readAdminsSettings({ platform: { redis } })).to.deep.equal({
      platform: {
        cookie: 'session_token',
        redis: { ...redis, key_prefix: 'session:' },
        admin_roles: ['admin', 'system_admin'],
        system_admin_roles: ['system_admin'],
        sign_in_url: '/login',
      },
    });
    expect(readAdminsSettings({ oidc: { ...oidc, sign_in: signIn } }).oidc).to.deep.include({
      sign_in: { ...signIn, scope: 'openid profile email', session_hours: 8 },
    });
  });

  it('can name several ways at once', () => {
    expect(faults({ platform: { redis }, oidc, tokens: [token] })).to.deep.equal([]);
  });

  it('name every fault at once', () => {
    const all = {
      platform: { redis: { url: 'http://redis' }, auth_me: { url: 'http://example.com/me' } },
      oidc: { ...oidc, issuer: 'ftp://x', algorithms: ['HS256', 'none', 'RS256'] },
      tokens: [{ name: 'a b', sha256: 'short', organization_id: 'x', expires_at: 'soon' }],
      users: [],
    };
    expect(faults(all)).to.have.members([
      'platform.redis.url',
      'platform.auth_me.url',
      'platform',
      'oidc.issuer',
      'oidc.algorithms.0',
      'oidc.algorithms.1',
      'tokens.0.name',
      'tokens.0.sha256',
      'tokens.0.organization_id',
      'tokens.0.expires_at',
      'users',
    ]);
  });

  const wrong: Record<string, [object, string]> = {
    'nobody is an admin': [{}, ''],
    'the platform has neither Redis nor an address': [{ platform: {} }, 'platform'],
    'the provider is for nothing': [{ oidc: { ...oidc, audience: undefined } }, 'oidc'],
    'no claim makes an admin': [{ oidc: { ...oidc, claims: {} } }, 'oidc.claims.admin'],
    'the secret is short': [
      { oidc: { ...oidc, sign_in: { ...signIn, session_secret: 'short' } } },
      'oidc.sign_in.session_secret',
    ],
    'the scope lacks openid': [
      { oidc: { ...oidc, sign_in: { ...signIn, scope: 'profile' } } },
      'oidc.sign_in.scope',
    ],
    'two tokens have one name': [
      { tokens: [token, { ...token, sha256: 'b'.repeat(64) }] },
      'tokens.1',
    ],
    'two tokens are the same': [{ tokens: [token, { ...token, name: 'other' }] }, 'tokens.1'],
    'the login address is a script': [
      { platform: { redis, sign_in_url: 'javascript:alert(1)' } },
      'platform.sign_in_url',
    ],
    'the issuer has a password': [
      { oidc: { ...oidc, issuer: 'https://a:b@example.com' } },
      'oidc.issuer',
    ],
  };
  for (const [what, [settings, path]] of Object.entries(wrong)) {
    it(`are rejected if ${what}`, () => {
      expect(faults(settings)).to.include(path);
    });
  }
});

describe('an address for credentials', () => {
  const addresses: [string, boolean][] = [
    ['https://example.com', true],
    ['http://example.com', false],
    ['http://8.8.8.8', false],
    ['http://172.32.0.1', false],
    ['http://10.example.com', false],
    ['http://[2001:db8::1]', false],
    ['ftp://keycloak', false],
    ['http://keycloak:8080', true],
    ['http://localhost:8080', true],
    ['http://ops.svc.cluster.local', true],
    ['http://127.0.0.1', true],
    ['http://10.1.2.3', true],
    ['http://172.16.0.1', true],
    ['http://192.168.1.1', true],
    ['http://[::1]:8080', true],
    ['http://[fd00::1]', true],
  ];
  for (const [address, isAllowed] of addresses) {
    it(`${isAllowed ? 'may' : 'must not'} be ${address}`, () => {
      expect(isConfidential(new URL(address))).to.equal(isAllowed);
    });
  }
});
