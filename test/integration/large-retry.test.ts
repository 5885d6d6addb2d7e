import { expect } from 'chai';

import type { RetryResponse } from '../../backend/contract/admin-api.ts';
import { withQueue } from '../support/job-queue.ts';
import {
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import type { SeededDevice } from '../support/seed.ts';

/** A retry resets 5,000 targets in its own transaction. A job does the rest. */
describe('a retry of more targets than fit in one transaction', () => {
  const FIRST_TRANSACTION = 5_000;
  const REST = 10;
  const WORKER = { role: 'worker', config: { reconcile_seconds: 1 } } as const;
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta({ role: 'api' });
    fleet = await createFleet(ota, FIRST_TRANSACTION + REST + 1);
    const worker = await startServer(ota.knex, WORKER);
    try {
      id = await fleet.rollOut({
        rollout_strategy: 'rolling',
        batch_size: FIRST_TRANSACTION + REST,
        policy: { failure_threshold_percent: 99 },
      });
    } finally {
      await worker.close();
    }
    const [last] = await fleet.batch(id, 1);
    await failAllBut(last!);
    await fleet.reports(last!, id, 'failed');
    expect(await fleet.detail(id)).to.include({ status: 'paused' });
  });

  after(() => ota.close());

  /** Has the effect of thousands of reports without sending them. */
  async function failAllBut(excepted: SeededDevice): Promise<void> {
    await ota
      .knex('ota_deployment_devices')
      .where({ deployment_id: id })
      .where('position', '<', FIRST_TRANSACTION + REST)
      .whereNot({ device_id: excepted.id })
      .update({ status: 'failed' });
    await ota
      .knex('ota_deployment_batches')
      .where({ deployment_id: id, number: 1 })
      .update({ pending: 1, failed: FIRST_TRANSACTION + REST - 1 });
  }

  let failedAgain: SeededDevice;

  it('G03 responds with the total after the first transaction', async () => {
    const answer = await fleet.post(`/deployments/${id}/retry`).expect(200);
    const { retried_devices: retried, deployment } = answer.body as RetryResponse;
    expect(retried).to.equal(FIRST_TRANSACTION + REST);
    expect(deployment.status).to.equal('paused');
    expect(deployment.progress).to.include({ pending: FIRST_TRANSACTION + 1, failed: REST });
    const event = (await fleet.events(id)).find(({ type }) => type === 'retried');
    expect(event?.data).to.include({ devices: FIRST_TRANSACTION + REST });
  });

  it('G03 does not count the failures that are still to be retried', async () => {
    await fleet.act(id, 'resume');
    const [pending] = await fleet.targets(id, 'status=pending');
    failedAgain = fleet.deviceById(pending!.device_id);
    await fleet.reports(failedAgain, id, { status: 'failed', attempt: 2 });
    const detail = await fleet.detail(id);
    expect(detail.status).to.equal('in_progress');
    expect(detail.released_devices).to.equal(FIRST_TRANSACTION + REST);
  });

  it('G03 is finished by another process if its job was lost', async () => {
    await withQueue(ota.knex, (queue) => queue.drain(true));
    const worker = await startServer(ota.knex, WORKER);
    try {
      const { progress } = await fleet.until(id, (now) => now.progress.failed === 1);
      expect(progress.pending).to.equal(FIRST_TRANSACTION + REST);
    } finally {
      await worker.close();
    }
    expect(await fleet.target(id, failedAgain)).to.include({ status: 'failed', attempt: 2 });
    expect(
      await ota.knex('ota_deployment_devices').where({ deployment_id: id, attempt: 2 }).count(),
    ).to.deep.equal([{ count: String(FIRST_TRANSACTION + REST) }]);
  });

  it('G03 counts failures again afterwards', async () => {
    const waiting = (await fleet.targets(id, 'status=pending')).slice(0, 5);
    for (const { device_id: device } of waiting) {
      await fleet.reports(fleet.deviceById(device), id, { status: 'failed', attempt: 2 });
    }
    expect((await fleet.detail(id)).status).to.equal('paused');
  });
});
