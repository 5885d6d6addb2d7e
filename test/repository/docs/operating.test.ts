/** Runs the commands in docs/operating.md in order: a host, a fleet, a deployment, a backup. */
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
import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';
import { ROOT } from '../../support/repository.ts';

const TOKEN = 'choose-a-long-one-of-your-own';
const TIMEOUT_MS = 60_000;

describe('docs/operating.md', function () {
  this.timeout(90_000);
  let page: DocPage;

  before(async () => {
    page = await DocPage.read('docs/operating.md');
  });

  it('has a valid configuration and a row for every setting with its default', () => {
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

  describe('in its commands', () => {
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
      for (const child of running) await stop(child);
      await rm(folder, { recursive: true, force: true });
    });

    /** Replaces the port and the folders, and skips the build. */
    const adapted = (block: string): string =>
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

    /** Starts a process and resolves when its output contains the text. */
    async function startInBackground(block: string, expected: string): Promise<ChildProcess> {
      const child = spawn('bash', ['--norc', '-euc', adapted(block)], {
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
      await waitFor(() => output.includes(expected), {
        timeout: TIMEOUT_MS,
        describe: () => `the output contains "${expected}":\n${output}`,
      });
      return child;
    }

    async function ops<T>(block: string, ids: Record<string, string> = {}): Promise<T> {
      const shorthand = page.block('bash', 'ops() {');
      const text = await inShell(fillIn(adapted(`${shorthand}\n${block}`), ids), {
        cwd: folder,
        env: env(),
      });
      return JSON.parse(text) as T;
    }

    it('starts a host and a fleet, runs a canary, and restores a backup', async () => {
      const host = await startInBackground(page.block('bash', 'choose-a-long'), 'is running at');
      const fleet = await startInBackground(
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

      const showDetail = page
        .blocks('bash')
        .find((block) => block === 'ops /deployments/DEPLOYMENT_ID\n');
      const until = async (what: string, condition: (now: DeploymentDetail) => boolean) =>
        waitFor(
          async () => {
            const now = await ops<DeploymentDetail>(showDetail ?? '', ids);
            return condition(now) ? now : null;
          },
          { timeout: TIMEOUT_MS, describe: what },
        );
      const canary = await until('the canary is completed', (now) => now.progress.completed === 2);
      expect(canary.phase).to.equal('awaiting_expansion');
      await ops(page.block('bash', '/expand'), ids);
      await until('all are completed', ({ status }) => status === 'completed');
      const { events } = await ops<EventPage>(page.block('bash', '/events'), ids);
      expect(events.map(({ type }) => type))
        .to.include('expanded')
        .and.include('completed');
      await stop(fleet);

      await stop(host);
      await inShell(adapted(page.block('bash', 'tar -czhf')), { cwd: ROOT });
      // The account that PostgreSQL runs as cannot access this folder, so as root the data is elsewhere.
      await rm(path.join(folder, 'private'), { recursive: true });
      await startInBackground(page.block('bash', 'tar -xzf'), 'is running at');
      // The backup contains the data and not a link to it.
      const restored = await lstat(path.join(folder, 'restored/postgres'));
      expect(restored.isDirectory()).to.equal(true);
      const { deployments } = await ops<DeploymentList>('ops /deployments');
      expect(deployments).to.have.length(1);
      expect(deployments[0]).to.include({
        ...{ deployment_id: created.deployment_id },
        completed_devices: 20,
      });
    });
  });

  describe('in its commands for manual migrations', () => {
    let database: TestDatabase;

    before(async () => {
      database = await createTestDatabase({ schema: 'host' });
    });
    after(() => database?.drop());

    it('applies and reverts the migrations', async () => {
      const run = (block: string): Promise<string> =>
        inShell(block.replace('./node_modules/ops-center-ota/', './'), {
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

/** Stops the process group as Ctrl+C does. Resolves when all of its output is closed. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await closed;
}
