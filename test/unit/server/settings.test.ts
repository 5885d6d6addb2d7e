import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import {
  givenSettings,
  InvalidSettingsError,
  validSettings,
  type ServerSettings,
} from '../../../backend/server/settings/settings.ts';

const REQUIRED = {
  DATABASE_URL: 'postgres://ota@db/ops',
  REDIS_URL: 'redis://redis:6379',
  OTA_SERVER_PUBLIC_URL: 'https://ops.example.com/ops/',
  OTA_SERVER_ADMINS: JSON.stringify({ platform: { redis: { url: 'redis://redis:6379/1' } } }),
};

const OIDC = {
  issuer: 'https://one.example.com',
  claims: { admin: 'roles', admin_values: ['ota-admin'] },
  sign_in: {
    client_id: 'ota',
    client_secret: 'from-the-settings-file',
    session_secret: '0123456789abcdef0123456789abcdef',
  },
};

describe('the settings of ota-server', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ota-server-settings-'));
  });

  after(() => rm(folder, { recursive: true }));

  async function fileWith(content: unknown): Promise<string> {
    const file = path.join(folder, `${Math.random().toString(36).slice(2)}.txt`);
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  }

  function read(variables: NodeJS.ProcessEnv = {}): ServerSettings {
    return validSettings(givenSettings({ ...REQUIRED, ...variables }));
  }

  function faultsOf(variables: NodeJS.ProcessEnv): Record<string, string> {
    try {
      validSettings(givenSettings(variables));
    } catch (error) {
      expect(error).to.be.instanceOf(InvalidSettingsError);
      const { faults } = error as InvalidSettingsError;
      return Object.fromEntries(faults.map(({ setting, message }) => [setting, message]));
    }
    return {};
  }

  it('have defaults, except for the addresses and the admins', () => {
    const settings = read();
    expect(settings).to.deep.include({
      role: 'all',
      listen: '127.0.0.1',
      port: 8085,
      databaseUrl: 'postgres://ota@db/ops',
      redisUrl: 'redis://redis:6379',
      basePath: '/ops',
      trustedProxies: [],
      metricsToken: null,
      devices: { hours_after_registration: 24 },
      ota: {},
    });
    expect(settings.publicUrl.origin).to.equal('https://ops.example.com');
    expect(faultsOf({})).to.have.all.keys('database_url', 'redis_url', 'public_url', 'admins');
  });

  it('have no base path if the public address has none', () => {
    expect(read({ OTA_SERVER_PUBLIC_URL: 'https://ota.example.com' }).basePath).to.equal('');
  });

  it('name every fault at once, with the name of the setting and without its value', () => {
    const faults = faultsOf({
      ...REQUIRED,
      OTA_SERVER_ROLE: 'primary',
      PORT: 'eighty',
      DATABASE_URL: 'mysql://secret-1@db/ops',
      OTA_SERVER_METRICS_TOKEN: 'secret 2 with spaces',
      OTA_SERVER_TRUSTED_PROXIES: '["10.0.0.0/8", "everybody"]',
      OTA_SERVER_ADMINS: JSON.stringify({ oidc: { ...OIDC, issuer: 'http://public.example' } }),
      OTA_SERVER_COLOR: 'blue',
    });
    expect(faults).to.have.all.keys(
      'role',
      'port',
      'database_url',
      'metrics_token',
      'trusted_proxies.1',
      'admins.oidc.issuer',
      'color',
    );
    expect(Object.values(faults).join('\n')).not.to.match(/secret/);
  });

  it('come from a file, and variables take precedence', async () => {
    const config = await fileWith({
      port: 9000,
      listen: '0.0.0.0',
      admins: { oidc: OIDC },
    });
    const settings = read({
      OTA_SERVER_CONFIG: config,
      OTA_SERVER_ADMINS: undefined,
      OTA_SERVER_ADMINS__OIDC__ISSUER: 'https://two.example.com',
      PORT: '9001',
    });
    expect(settings).to.include({ port: 9001, listen: '0.0.0.0' });
    expect(settings.admins.oidc?.issuer).to.equal('https://two.example.com');
    expect(settings.admins.oidc?.sign_in?.client_secret).to.equal('from-the-settings-file');
  });

  it('can read each value from a file of its own', async () => {
    const secret = await fileWith('s3cret with spaces \n');
    const url = await fileWith('postgres://ota:pw@db/ops\n');
    const settings = read({
      DATABASE_URL: undefined,
      DATABASE_URL_FILE: url,
      OTA_SERVER_ADMINS: JSON.stringify({ oidc: OIDC }),
      OTA_SERVER_ADMINS__OIDC__SIGN_IN__CLIENT_SECRET_FILE: secret,
    });
    expect(settings.databaseUrl).to.equal('postgres://ota:pw@db/ops');
    expect(settings.admins.oidc?.sign_in?.client_secret).to.equal('s3cret with spaces ');
  });

  it('let a variable replace what the settings file reads from a file', async () => {
    const config = await fileWith({ metrics_token_file: '/does/not/exist' });
    const token = 'a-token-of-the-scraper';
    expect(
      read({ OTA_SERVER_CONFIG: config, OTA_SERVER_METRICS_TOKEN: token }).metricsToken,
    ).to.equal(token);
  });

  it('name files that are missing, broken or given twice', async () => {
    const broken = await fileWith('{"metrics_token": "secret-3",');
    const list = await fileWith('[]');
    const token = await fileWith('a-token-of-the-scraper');
    expect(faultsOf({ ...REQUIRED, OTA_SERVER_CONFIG: broken })).to.deep.equal({
      [broken]: 'is not valid JSON',
    });
    expect(faultsOf({ ...REQUIRED, OTA_SERVER_CONFIG: list })).to.deep.equal({
      [list]: 'must contain a JSON object',
    });
    expect(faultsOf({ ...REQUIRED, OTA_SERVER_CONFIG: '/does/not/exist' })).to.deep.equal({
      '/does/not/exist': 'the file does not exist',
    });
    expect(
      faultsOf({ ...REQUIRED, OTA_SERVER_METRICS_TOKEN_FILE: '/does/not/exist' }),
    ).to.deep.equal({ metrics_token_file: 'the file does not exist' });
    expect(
      faultsOf({
        ...REQUIRED,
        OTA_SERVER_METRICS_TOKEN: 'another-token-entirely',
        OTA_SERVER_METRICS_TOKEN_FILE: token,
      }),
    ).to.have.all.keys('OTA_SERVER_METRICS_TOKEN');
  });

  it('report a variable below a setting that is no section', () => {
    expect(
      faultsOf({ ...REQUIRED, OTA_SERVER_ROLE: 'api', OTA_SERVER_ROLE__X: '1' }),
    ).to.deep.equal({ OTA_SERVER_ROLE__X: 'cannot be set: role is not a section' });
  });

  it('need Redis, except for a trial', () => {
    const withoutRedis = { ...REQUIRED, REDIS_URL: undefined };
    expect(faultsOf(withoutRedis)).to.have.all.keys('redis_url');
    expect(validSettings(givenSettings(withoutRedis), {}).redisUrl).to.equal(null);
  });

  it('use the defaults of a trial only where nothing else is given', () => {
    const trial = { public_url: 'http://localhost:1', port: 1 };
    const { OTA_SERVER_PUBLIC_URL: _, ...others } = REQUIRED;
    expect(validSettings(givenSettings({ ...others, PORT: '2' }), trial)).to.deep.include({
      port: 2,
      publicUrl: new URL('http://localhost:1'),
    });
  });
});
