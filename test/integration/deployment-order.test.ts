import { expect } from 'chai';
import type { Knex } from 'knex';

import { untilWaitingForLock } from '../support/blocked-sessions.ts';
import {
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('the order of deployments', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());

  beforeEach(async () => {
    fleet = await createFleet(ota, 1);
  });

  /** Runs `work` while the deployment is locked. */
  async function whileLocked<T>(
    id: string,
    work: (unlock: () => Promise<unknown>) => Promise<T>,
  ): Promise<T> {
    const blocker: Knex.Transaction = await ota.knex.transaction();
    await blocker.raw('SELECT 1 FROM ota_deployments WHERE id = ? FOR UPDATE', [id]);
    try {
      return await work(() => blocker.rollback());
    } finally {
      if (!blocker.isCompleted()) await blocker.rollback();
    }
  }

  for (const byDevice of [false, true]) {
    for (const first of ['retry', 'completion'] as const) {
      it(`G08 prevents ${byDevice ? 'a retry of the device' : 'a retry'} in the older one that races with a completion in the newer one, ${first} first`, async () => {
        const older = await fleet.rollOut();
        await fleet.reports(fleet.device, older, 'failed');
        const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
        await fleet.reports(fleet.device, newer, 'downloading');
        const retry = () =>
          fleet.post(
            `/deployments/${older}/retry`,
            byDevice ? { device_ids: [fleet.device.id] } : {},
          );
        const complete = () => fleet.report(fleet.device, newer, 'completed');
        // Both start before either can decide.
        await whileLocked(newer, async (unlock) => {
          const running = (first === 'retry' ? [retry, complete] : [complete, retry]).map(
            async (send) => send(),
          );
          await untilWaitingForLock(ota.knex);
          await unlock();
          await Promise.all(running);
        });
        expect((await fleet.target(newer, fleet.device)).status).to.equal('completed');
        expect((await fleet.target(older, fleet.device)).status).to.be.oneOf(['failed', 'skipped']);
        expect(await fleet.offered(fleet.device)).to.equal(null);
      });
    }
  }

  for (const status of ['pending', 'downloading', 'installing', 'verifying'] as const) {
    it(`G08 makes a completion supersede a ${status} target of an older deployment`, async () => {
      const older = await fleet.rollOut();
      if (status !== 'pending') await fleet.reports(fleet.device, older, status);
      const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
      await fleet.reports(fleet.device, newer, 'completed');
      const target = await fleet.target(older, fleet.device);
      expect([target.status, target.error_message]).to.deep.equal([
        'skipped',
        'superseded by Firmware Update v2.1.0 (v3.0.0)',
      ]);
      expect((await fleet.detail(older)).status).to.equal('completed');
      expect(await fleet.offered(fleet.device)).to.equal(null);
    });
  }

  it('G08 gives different times to deployments that are created concurrently', async () => {
    const other = await startServer(ota.knex);
    try {
      // The creation has started and waits for the lock.
      const blocker = await ota.knex.transaction();
      await blocker.raw('LOCK TABLE ota_events IN ACCESS EXCLUSIVE MODE');
      const slow = fleet.create({ deployment_name: 'slow' });
      await untilWaitingForLock(ota.knex);
      await blocker.rollback();
      const [first, second, third] = await Promise.all([
        slow,
        fleet.through(other.host).create({ deployment_name: 'quick' }),
        fleet.create({ deployment_name: 'another' }),
      ]);
      const rows = await ota
        .knex('ota_deployments')
        .whereIn('id', [first.deployment_id, second.deployment_id, third.deployment_id])
        .select<{ created_at: Date; xmin: string }[]>('created_at');
      const times = rows.map((row) => row.created_at.getTime());
      expect(new Set(times).size).to.equal(3);
    } finally {
      await other.close();
    }
  });

  it('G08 follows the commits of the creations', async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, async () => (await fleet.create()).deployment_id),
    );
    const rows = await ota
      .knex('ota_deployments')
      .whereIn('id', ids)
      .orderBy('created_at')
      .select<{ id: string; created_at: Date }[]>('id', 'created_at');
    const times = rows.map((row) => row.created_at.getTime());
    expect(new Set(times).size).to.equal(ids.length);
    // The newest is offered, whichever was requested first.
    for (const id of ids) await fleet.act(id, 'start');
    await fleet.untilReleased(rows.at(-1)?.id ?? '', 1);
    expect(await fleet.offered(fleet.device)).to.equal(rows.at(-1)?.id);
  });
});
