/** docs/operating.md, from top to bottom: a host, a fleet, a deployment, a backup. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type {
  CreatedDeployment,
  DeploymentDetail,
  DeploymentList,
  DeploymentPreview,
  EventPage,
} from '../../../backend/contract/admin-api.ts';
import { readConfig } from '../../../backend/config.ts';
import { freePort } from '../../../dev/database/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const TOKEN = 'choose-a-long-one-of-your-own';
const PATIENCE_MS = 60_000;

describe('docs/operating.md', function () {
  this.timeout(90_000);
  let page: DocPage;

  before(async () => {
    page = await DocPage.read('docs/operating.md');
  });

  it('has a configuration that is accepted, and names every setting with its default', () => {
    const shown = JSON.parse(page.block('json', 'poll_interval_seconds')) as object;
    const defaults = readConfig({});
    expect(readConfig(shown)).to.deep.equal(defaults);
    const rows = [...page.text.matchAll(/^\| `(\w+)` +\| `([^`]+)` +\|/gm)].map(
      ([, name = '', value = '']) => [name, value],
    );
    const expected = Object.entries(defaults).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    expect(rows).to.have.deep.members(expected);
  });

  describe('its commands, in order', () => {
    const running: ChildProcess[] = [];
    let folder: string;
    let url: string;

    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'operating-'));
      await chmod(folder, 0o755);
      await mkdir(path.join(folder, 'private'), { mode: 0o700 });
      url = `http://localhost:${await freePort()}`;
    });
    after(async () => {
      for (const child of running) await end(child);
      await rm(folder, { recursive: true, force: true });
    });

    /** What is particular to this machine: the port, the folders, and that all is built already. */
    const here = (block: string): string =>
      fillIn(block, {
        'http://localhost:8084': url,
        '.data': path.join(folder, 'private/data'),
        restored: path.join(folder, 'restored'),
        'ops-center-backup': path.join(folder, 'ops-center-backup'),
        'npm start': 'exec npm start --ignore-scripts',
        'npm run fleet --': `exec npm run fleet -- --server ${url}`,
        '--poll-seconds 2': '--poll-seconds 0.3 --step-seconds 0.1',
      });

    const env = (): Record<string, string> => ({
      PORT: new URL(url).port,
      HOME: folder,
      OPS_LOG_LEVEL: 'warn',
      OPS_ADMIN_TOKEN: TOKEN,
    });

    /** Runs on until it is ended; resolves when it has said this. */
    async function inBackground(block: string, said: string): Promise<ChildProcess> {
      const child = spawn('bash', ['--norc', '-euc', here(block)], {
        cwd: ROOT,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH ?? '', ...env() },
      });
      running.push(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      }
      await waitFor(() => output.includes(said), {
        timeout: PATIENCE_MS,
        describe: () => `"${said}" is said:\n${output}`,
      });
      return child;
    }

    async function ops<T>(block: string, ids: Record<string, string> = {}): Promise<T> {
      const shorthand = page.block('bash', 'ops() {');
      const text = await inShell(fillIn(here(`${shorthand}\n${block}`), ids), {
        cwd: folder,
        env: env(),
      });
      return JSON.parse(text) as T;
    }

    it('start a host and a fleet, take it through a canary, and bring the data back from a backup', async () => {
      const host = await inBackground(page.block('bash', 'choose-a-long'), 'is running at');
      const fleet = await inBackground(
        page.block('bash', 'npm run fleet'),
        '20 devices are polling',
      );

      const preview = await ops<DeploymentPreview>(page.block('bash', '/preview'));
      expect(preview).to.deep.include({ matching_devices: 20, not_comparable: [] });
      expect(preview.batches.map(({ size }) => size)).to.deep.equal([2, 18]);

      const created = await ops<CreatedDeployment>(page.block('bash', 'ops /deployments -d'));
      expect(created).to.include({ status: 'pending', target_devices: 20 });
      const ids = { DEPLOYMENT_ID: created.deployment_id };
      expect(await ops(page.block('bash', '/start'), ids)).to.include({ status: 'in_progress' });

      const look = page
        .blocks('bash')
        .find((block) => block === 'ops /deployments/DEPLOYMENT_ID\n');
      const until = async (what: string, wanted: (now: DeploymentDetail) => boolean) =>
        waitFor(
          async () => {
            const now = await ops<DeploymentDetail>(look ?? '', ids);
            return wanted(now) ? now : null;
          },
          { timeout: PATIENCE_MS, describe: what },
        );
      const share = await until('the canary is completed', (now) => now.progress.completed === 2);
      expect(share.phase).to.equal('awaiting_expansion');
      await ops(page.block('bash', '/expand'), ids);
      await until('all are completed', ({ status }) => status === 'completed');
      const { events } = await ops<EventPage>(page.block('bash', '/events'), ids);
      expect(events.map(({ type }) => type))
        .to.include('expanded')
        .and.include('completed');
      await end(fleet);

      await end(host);
      await inShell(here(page.block('bash', 'tar -czhf')), { cwd: ROOT });
      // Out of reach of the account that PostgreSQL runs as, so as root the data lie elsewhere.
      await rm(path.join(folder, 'private'), { recursive: true });
      await inBackground(page.block('bash', 'tar -xzf'), 'is running at');
      // Not a link to where the data were before.
      const kept = await lstat(path.join(folder, 'restored/postgres'));
      expect(kept.isDirectory()).to.equal(true);
      const { deployments } = await ops<DeploymentList>('ops /deployments');
      expect(deployments).to.have.length(1);
      expect(deployments[0]).to.include({
        ...{ deployment_id: created.deployment_id },
        completed_devices: 20,
      });
    });
  });

  describe('its migrations by hand', () => {
    let database: TestDatabase;

    before(async () => {
      database = await createTestDatabase({ schema: 'host' });
    });
    after(() => database?.drop());

    it('bring the schema up to date, and take it off again', async () => {
      const run = (block: string): Promise<string> =>
        inShell(block.replace('./node_modules/ops-center-ota/', '../../docs/'), {
          cwd: ROOT,
          env: { DATABASE_URL: database.connectionString },
        });
      await run(page.block('bash', 'migrateUp(database)'));
      expect(await database.knex.schema.hasTable('ota_deployment_batches')).to.equal(true);
      await run(page.block('bash', 'migrateDown(database)'));
      expect(await database.knex.schema.hasTable('ota_deployment_batches')).to.equal(false);
      expect(await database.knex.schema.hasTable('edge_devices')).to.equal(true);
    });
  });
});

/** As Ctrl+C does it; resolves when everything it has started has ended. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await closed;
}
