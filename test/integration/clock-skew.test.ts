import { expect } from 'chai';

import { createFleet, startOta, type OtaServer } from '../support/ota-server.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';

const HOURS = 3_600_000;

describe('a worker with a wrong clock', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  const running: WorkerProcess[] = [];

  beforeEach(async () => {
    ota = await startOta({ role: 'api', redisUrl: null });
  });
  afterEach(async () => {
    for (const worker of running.splice(0)) await worker.kill();
    await ota.close();
  });

  async function startWorker(skewMs: number): Promise<void> {
    const config = { timeout_sweep_seconds: 1, reconcile_seconds: 1 };
    const worker = startWorkerProcess(ota.database.connectionString, config, skewMs);
    running.push(worker);
    await worker.ready;
  }

  for (const hours of [2, -2]) {
    it(`G07 two hours ${hours > 0 ? 'ahead' : 'behind'} times out silent devices only`, async () => {
      const fleet = await createFleet(ota, 6);
      await startWorker(hours * HOURS);
      const id = await fleet.rollOut({ policy: { failure_min_devices: 100 } });
      await fleet.reportAll(fleet.devices, id, 'installing');
      const [silent, ...healthy] = fleet.devices;
      await ota
        .knex('ota_deployment_devices')
        .where({ deployment_id: id, device_id: silent?.id })
        .update({ last_report_at: ota.knex.raw(`now() - interval '61 minutes'`) });
      const { progress, status } = await fleet.until(id, (detail) => detail.progress.failed > 0, {
        timeout: 30_000,
      });
      expect([progress.failed, progress.in_progress, status]).to.deep.equal([1, 5, 'in_progress']);
      await fleet.reportAll(healthy, id, 'completed');
      const { started_at, completed_at, batches } = await fleet.detail(id);
      const times = [started_at, completed_at, batches[0]?.released_at];
      for (const time of times) {
        expect(Math.abs(Date.now() - Date.parse(time ?? '')), String(time)).to.be.below(HOURS / 2);
      }
    });

    it(`G07 two hours ${hours > 0 ? 'ahead' : 'behind'} starts scheduled deployments on time`, async () => {
      const fleet = await createFleet(ota, 1);
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
