import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';
import { parse } from 'yaml';

import {
  givenSettings,
  settingsSchema,
  validSettings,
  type ServerSettings,
} from '../../../backend/server/settings/settings.ts';
import { DocPage } from '../../support/doc-page.ts';
import { ROOT } from '../../support/repository.ts';

const run = promisify(execFile);

const SECRETS = {
  database_url: 'postgres://ota:password@127.0.0.1:5432/ops_center',
  redis_url: 'redis://127.0.0.1:6379',
  metrics_token: 'a-token-of-the-scraper',
};

describe('docs/server.md', () => {
  let page: DocPage;
  let folder: string;

  before(async () => {
    page = await DocPage.read('docs/server.md');
    folder = await mkdtemp(path.join(tmpdir(), 'ota-server-docs-'));
    for (const [name, secret] of Object.entries(SECRETS)) {
      await writeFile(path.join(folder, name), `${secret}\n`);
    }
  });

  after(() => rm(folder, { recursive: true }));

  const shipped = (name: string): Promise<string> =>
    readFile(path.join(ROOT, 'docs/server', name), 'utf8');

  it('describes every setting, and no other', () => {
    const table = page.text.slice(
      page.text.indexOf('\n## Settings'),
      page.text.indexOf('\n## Admins'),
    );
    const described = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    const { keys } = settingsSchema.describe() as { keys: Record<string, unknown> };
    expect(described).to.have.members(Object.keys(keys));
  });

  it('starts with settings that are complete, with the variables that it names', async () => {
    const file = path.join(folder, 'quick-start.json');
    await writeFile(file, page.block('json', '"public_url"'));
    const exports = [...page.block('bash', '--check').matchAll(/^export (\w+)=(\S+)$/gm)];
    const variables = Object.fromEntries(exports.map(([, name, value]) => [name, value]));
    expect(validSettings(givenSettings(variables, file))).to.include({ basePath: '' });
  });

  it('has a service that passes its secrets on, and that systemd accepts', async function () {
    const unit = await shipped('ota-server@.service');
    await writeFile(path.join(folder, 'settings'), await shipped('ota-server.json'));
    const variables: Record<string, string> = {};
    for (const [, name, value] of unit.matchAll(/^Environment=(\w+)=(.*)$/gm)) {
      variables[name ?? ''] = (value ?? '').replaceAll('%d', folder).replaceAll('%i', 'worker');
    }
    expectSecrets(validSettings(givenSettings(variables, path.join(folder, 'settings'))), 'worker');

    const named = [...unit.matchAll(/^LoadCredential=(\w+):\/etc\/ota-server\/(\S+)$/gm)];
    expect(named.map(([, name]) => name)).to.have.members(['settings', ...Object.keys(SECRETS)]);
    const local = path.join(folder, 'ota-server@.service');
    await writeFile(local, unit.replace('/usr/bin/ota-server', process.execPath));
    try {
      await run('systemd-analyze', ['verify', `${folder}/ota-server@all.service`]);
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      if (code === 'ENOENT') return this.skip();
      throw new Error(`systemd-analyze: ${stderr}`, { cause: error });
    }
  });

  it('has services for compose with the settings of each role', async () => {
    const { services } = parse(await shipped('compose.yml'), { merge: true }) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    const roles = Object.values(services).map(({ environment }) => {
      const variables = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [
          name,
          value.replace('/run/secrets', folder),
        ]),
      );
      const settings = validSettings(givenSettings(variables));
      expect(settings.databaseUrl).to.equal(SECRETS.database_url);
      return settings.role;
    });
    expect(roles).to.have.members(['api', 'worker']);
  });

  function expectSecrets(settings: ServerSettings, role: string): void {
    expect(settings).to.include({
      role,
      databaseUrl: SECRETS.database_url,
      redisUrl: SECRETS.redis_url,
      metricsToken: SECRETS.metrics_token,
    });
    expect(settings.admins.platform?.redis?.url).to.equal(SECRETS.redis_url);
  }
});
