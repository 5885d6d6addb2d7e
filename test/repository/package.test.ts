/** The contents of the npm package, and an installation of it outside this repository. */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { pino } from 'pino';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

import { freePort } from '../../backend/server/postgres/free-port.ts';
import { AdminClient } from '../../dev/demo/admin-client.ts';
import { SandboxDevice } from '../../dev/demo/sandbox-device.ts';
import { NEW_VERSION, servePackage } from '../../dev/demo/update-package.ts';
import { startHost } from '../../dev/host/host.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { testRedisUrl } from '../support/test-services.ts';
import { ROOT } from '../support/repository.ts';

const run = promisify(execFile);

/** What the package may contain. It must contain at least one file of each kind. */
const CONTENTS: Record<string, RegExp> = {
  'the manifest and its schema': /^plugin(\.schema)?\.json$/,
  'npm metadata': /^(package\.json|README\.md|LICENSE)$/,
  'changelog and security policy': /^(CHANGELOG|SECURITY)\.md$/,
  'compiled server': /^dist\/(backend|jobs|migrations)\/[\w./-]+\.(js|d\.ts)$/,
  'compiled ota command and its modules':
    /^dist\/agent\/((ota|network|state|steps)\/)?[\w./-]+\.(js|d\.ts)$/,
  'bundled agent and launcher': /^dist\/agent\/ota-(agent|launcher)\.cjs$/,
  'licences of bundled packages': /^dist\/agent\/LICENSES\.txt$/,
  'the page': /^dist\/frontend\/(page\.(js|css)|chunks\/[\w.-]+\.js)$/,
  "ota-server's shell":
    /^dist\/backend\/server\/page\/browser\/([\w-]+\/)?[\w-]+\.(js|css|html|svg)$/,
  'the libraries of the shell': /^dist\/backend\/server\/page\/vendor\/([\w-]+\.js|LICENSES\.txt)$/,
  'reverse proxy configurations': /^docs\/proxies\/[\w-]+\.(conf|yml)$/,
  'sample files for devices':
    /^agent\/(config\.example\.json|ota-agent\.service|ota-agent-strict\.conf)$/,
  'files to run ota-server':
    /^docs\/server\/(ota-server\.json|ota-server@\.service|Containerfile|compose\.yml|[\w-]+\.sql)$/,
  documentation: /^docs\/(decisions\/)?[\w-]+\.md$/,
  'images of the documentation': /^docs\/images\/[\w-]+\.(png|svg)$/,
  'alert rules and dashboard': /^docs\/(alert-rules\.yml|grafana-dashboard\.json)$/,
  'OpenAPI document': /^docs\/openapi\.json$/,
};
const MAX_BYTES = 1_500_000;

interface PackedPackage {
  filename: string;
  size: number;
  files: { path: string; mode: number }[];
}

describe('the npm package', function () {
  this.timeout(120_000);

  let folder: string;
  let packed: PackedPackage;
  let files: string[];

  before(async () => {
    if (!existsSync(path.join(ROOT, 'dist/frontend'))) {
      throw new Error('dist is missing: run "npm run build".');
    }
    folder = await mkdtemp(path.join(tmpdir(), 'ota-package-'));
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const { stdout } = await run('npm', pack, { cwd: ROOT });
    [packed] = JSON.parse(stdout) as [PackedPackage];
    files = packed.files.map((file) => file.path);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('contains what a host needs and nothing else', () => {
    const patterns = Object.entries(CONTENTS);
    const others = files.filter((file) => !patterns.some(([, pattern]) => pattern.test(file)));
    expect(others).to.deep.equal([]);
    const missing = patterns.filter(([, pattern]) => !files.some((file) => pattern.test(file)));
    expect(missing.map(([what]) => what)).to.deep.equal([]);
    expect(packed.size).to.be.below(MAX_BYTES);
  });

  it('contains no compiled file whose source was removed', () => {
    const compiled = files.filter((file) =>
      /^dist\/(?!frontend\/|backend\/server\/page\/vendor\/).*\.js$/.test(file),
    );
    const orphans = compiled.filter((file) => {
      const copied = file.replace(/^dist\//, '');
      const sources = [copied, copied.replace(/\.js$/, '.ts')];
      return !sources.some((source) => existsSync(path.join(ROOT, source)));
    });
    expect(orphans, 'remove dist and build again').to.deep.equal([]);
  });

  it('contains every file that its manifests name', async () => {
    const { main, page } = JSON.parse(await readFile(path.join(ROOT, 'plugin.json'), 'utf8')) as {
      main: string;
      page: { module: string; style: string };
    };
    const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      exports: Record<string, string>;
      bin: Record<string, string>;
    };
    const named = [
      ...[main, page.module, page.style],
      ...Object.values(manifest.exports).map((file) => path.normalize(file)),
      ...Object.values(manifest.bin),
    ];
    expect(files).to.include.members(named);
  });

  it('contains a plugin.json that matches its schema', async () => {
    const schema = JSON.parse(
      await readFile(path.join(ROOT, 'plugin.schema.json'), 'utf8'),
    ) as Record<string, object>;
    const plugin: unknown = JSON.parse(await readFile(path.join(ROOT, 'plugin.json'), 'utf8'));
    const ajv = new Ajv2020({ allErrors: true });
    const fits = ajv.compile({ ...schema, additionalProperties: false });
    expect(fits(plugin), ajv.errorsText(fits.errors)).to.equal(true);
    expect(fits({ ...(plugin as object), roles: ['boss'], colour: 'blue' })).to.equal(false);
  });

  it('passes publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: ROOT, level: 'suggestion', strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([]);
  });

  it('can be installed and complete a deployment', async () => {
    const home = path.join(folder, 'ops-center');
    await mkdir(home);
    await writeFile(path.join(home, 'package.json'), '{"private": true, "type": "module"}');
    const tarball = path.join(folder, packed.filename);
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
      cwd: home,
    });
    const installed = path.join(home, 'node_modules/ops-center-ota');

    const database = await createTestDatabase({ schema: 'host' });
    const host = await startHost({
      role: 'all',
      logger: pino({ level: 'silent' }),
      databaseUrl: database.connectionString,
      pluginRoot: installed,
      pluginConfig: { allow_insecure_loopback_packages: true, poll_interval_seconds: 1 },
      port: 0,
      listen: '127.0.0.1',
    });
    const updates = path.join(folder, 'updates');
    await mkdir(updates);
    const served = await servePackage(updates);
    const token = host.admin?.token ?? '';
    const device = new SandboxDevice({
      folder: path.join(folder, 'device'),
      name: 'edge-01',
      serverUrl: host.url,
      agentPath: path.join(installed, 'dist/agent/ota-agent.cjs'),
      sensorBoard: 'revision-2',
    });
    try {
      expect(host.pluginActive).to.equal(true);
      await device.prepare(new AdminClient(host.url, { authorization: `Bearer ${token}` }));
      device.start();
      const deploymentFile = path.join(folder, 'deployment.json');
      await writeFile(
        deploymentFile,
        JSON.stringify({
          deployment_name: 'From the package',
          target_version: NEW_VERSION,
          rollout_strategy: 'immediate',
          checksum: served.checksum,
        }),
      );
      const { stdout } = await run(
        path.join(home, 'node_modules/.bin/ota'),
        [
          'deploy',
          '--file',
          deploymentFile,
          '--package-url',
          served.url,
          '--start',
          '--watch',
          '--json',
        ],
        { cwd: home, env: { PATH: process.env.PATH, OTA_SERVER: host.url, OTA_TOKEN: token } },
      );
      expect(stdout).to.include('completed');
      expect(await device.installedVersion()).to.equal(NEW_VERSION);
      const [page] = await host.knex('ota_deployments').select('status');
      expect(page).to.deep.equal({ status: 'completed' });
    } finally {
      await device.stop();
      await served.close();
      await host.stop();
      await database.drop();
    }
  });

  it('runs ota-server as the container file does', async function () {
    const redisUrl = await testRedisUrl();
    if (redisUrl === null) return this.skip();
    const container = await readFile(path.join(ROOT, 'docs/server/Containerfile'), 'utf8');
    const install = /^RUN (.+)$/m.exec(container)?.[1] ?? '';
    const [health, start] = [/^HEALTHCHECK CMD (.+)$/m, /^CMD (.+)$/m].map(
      (line) => JSON.parse(line.exec(container)?.[1] ?? '[]') as string[],
    ) as [string[], string[]];
    const home = path.join(folder, 'container');
    await mkdir(home);
    await copyFile(path.join(folder, packed.filename), path.join(home, 'package.tgz'));
    await run('bash', ['-c', `${install} --prefer-offline`], { cwd: home });

    const database = await createTestDatabase({ schema: 'host' });
    const port = await freePort();
    const environment = {
      PATH: process.env.PATH,
      PORT: String(port),
      DATABASE_URL: database.connectionString,
      REDIS_URL: redisUrl,
      OTA_SERVER_PUBLIC_URL: 'https://ops.example.com',
      OTA_SERVER_ADMINS__TOKENS: JSON.stringify([
        { name: 'pipeline', sha256: 'ab'.repeat(32), organization_id: randomUUID() },
      ]),
    };
    const [program = '', ...programArguments] = start;
    const server = spawn(path.join(home, program), programArguments, {
      cwd: home,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit');
    try {
      for await (const line of createInterface({ input: server.stdout })) {
        if (line.includes('ota-server is running')) break;
      }
      await run(health[0] ?? '', health.slice(1), { env: environment });
      const page = await fetch(`http://127.0.0.1:${port}/health/ready`);
      expect(await page.json()).to.include({ status: 'ok' });
    } finally {
      server.kill('SIGTERM');
      expect(await ended).to.deep.equal([0, null]);
      await database.drop();
    }
    // Nothing answers any more, and the check of the container says so.
    const failure = await run(health[0] ?? '', health.slice(1), { env: environment }).catch(
      (error: unknown) => error,
    );
    expect(failure).to.have.property('code', 1);
  });
});
