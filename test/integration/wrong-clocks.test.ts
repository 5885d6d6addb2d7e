import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { expect } from 'chai';

import { waitFor } from '../../dev/wait-for.ts';
import { openFleet, openStage, type Stage } from '../support/ota-scenario.ts';

const SUPPORT = path.resolve(import.meta.dirname, '../support');
const HOURS = 3_600_000;

describe('a worker with a wrong clock', function () {
  this.timeout(60_000);
  let stage: Stage;
  const running: ChildProcess[] = [];

  beforeEach(async () => {
    stage = await openStage({ role: 'api', redisUrl: null });
  });
  afterEach(async () => {
    for (const child of running.splice(0)) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await stage.close();
  });

  async function startWorker(shiftMs: number): Promise<void> {
    const child = spawn(
      process.execPath,
      [
        '--import=tsx',
        `--import=${path.join(SUPPORT, 'shifted-clock.ts')}`,
        path.join(SUPPORT, 'worker-process.ts'),
      ],
      {
        env: {
          ...process.env,
          DATABASE_URL: stage.database.connectionString,
          CLOCK_SHIFT_MS: String(shiftMs),
          WORKER_CONFIG: JSON.stringify({ timeout_sweep_seconds: 1, reconcile_seconds: 1 }),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    running.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitFor(() => output.includes('working'), {
      timeout: 30_000,
      describe: () => `the worker is ready: ${output}`,
    });
  }

  for (const hours of [2, -2]) {
    it(`G07 two hours ${hours > 0 ? 'ahead' : 'behind'} times out silent devices only`, async () => {
      const fleet = await openFleet(stage, 6);
      await startWorker(hours * HOURS);
      const id = await fleet.roll({ policy: { failure_min_devices: 100 } });
      await fleet.all(fleet.devices, id, 'installing');
      const [silent, ...healthy] = fleet.devices;
      await stage
        .knex('ota_deployment_devices')
        .where({ deployment_id: id, device_id: silent?.id })
        .update({ last_report_at: stage.knex.raw(`now() - interval '61 minutes'`) });
      const { progress, status } = await fleet.until(id, (detail) => detail.progress.failed > 0, {
        timeout: 30_000,
      });
      expect([progress.failed, progress.in_progress, status]).to.deep.equal([1, 5, 'in_progress']);
      await fleet.all(healthy, id, 'completed');
      const { started_at, completed_at, batches } = await fleet.detail(id);
      const times = [started_at, completed_at, batches[0]?.released_at];
      for (const time of times) {
        expect(Math.abs(Date.now() - Date.parse(time ?? '')), String(time)).to.be.below(HOURS / 2);
      }
    });

    it(`G07 two hours ${hours > 0 ? 'ahead' : 'behind'} starts scheduled deployments on time`, async () => {
      const fleet = await openFleet(stage, 1);
      const later = await fleet.create({
        scheduled_at: new Date(Date.now() + HOURS).toISOString(),
      });
      const soon = await fleet.create({ scheduled_at: new Date(Date.now() + 2_000).toISOString() });
      await startWorker(hours * HOURS);
      await fleet.until(soon.deployment_id, ({ status }) => status === 'in_progress', {
        timeout: 30_000,
      });
      expect((await fleet.detail(later.deployment_id)).status).to.equal('pending');
    });
  }
});
