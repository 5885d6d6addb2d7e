import { expect } from 'chai';

import type { TargetView } from '../../backend/contract/admin-api.ts';
import type { StatusReport } from '../../backend/contract/device-api.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import {
  ADMIN_API,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

/** Details that a device reports besides its status. */
describe('reported details', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });
  after(() => ota.close());

  beforeEach(async () => {
    fleet = await createFleet(ota, 1);
    id = await fleet.rollOut();
  });

  const target = () => fleet.target(id, fleet.device);
  const report = (...reports: StatusReport[]) => fleet.reports(fleet.device, id, ...reports);

  describe('a rebooting device', () => {
    const verifying = { status: 'verifying' } as const;

    it('stays verifying, and the activity follows its reports', async () => {
      await report({ status: 'installing' }, verifying);
      expect(await target()).to.include({ status: 'verifying', activity: null });
      await report({ ...verifying, activity: 'rebooting' });
      expect(await target()).to.include({ status: 'verifying', activity: 'rebooting' });
      await report(verifying);
      expect(await target()).to.include({ status: 'verifying', activity: null });
      await report({ ...verifying, activity: 'rebooting' }, { status: 'completed' });
      expect(await target()).to.include({ status: 'completed', activity: null });
    });

    it('is shown to those who watch the deployment', async () => {
      await report(verifying);
      const url = `${fleet.host.baseUrl}${ADMIN_API}/deployments/${id}/stream`;
      const stream = await EventStreamReader.open(url, fleet.admin);
      try {
        await stream.next('deployment');
        await report({ ...verifying, activity: 'rebooting' });
        await stream.next('device', (data) => {
          const { activity } = data['device'] as TargetView;
          return activity === 'rebooting';
        });
      } finally {
        await stream.close();
      }
    });

    it('times out like any other, and then has no activity', async () => {
      await report({ ...verifying, activity: 'rebooting' });
      await ota.knex.raw(
        `UPDATE ota_deployment_devices SET last_report_at = now() - interval '61 minutes'
         WHERE deployment_id = ?`,
        [id],
      );
      await fleet.until(id, ({ progress }) => progress.failed === 1);
      expect(await target()).to.include({ activity: null, failure_cause: 'timeout' });
    });
  });

  it('the cause of a failure is shown, and kept with the attempt when it is retried', async () => {
    await report({ status: 'failed', error_message: 'disk is full', failure_cause: 'space' });
    expect(await target()).to.include({ status: 'failed', failure_cause: 'space' });
    await fleet.act(id, 'retry');
    const retried = await target();
    expect(retried.failure_cause).to.equal(null);
    expect(retried.earlier_attempts.map((earlier) => earlier.failure_cause)).to.deep.equal([
      'space',
    ]);
    await report({ status: 'rolled_back', attempt: 2, failure_cause: 'health' });
    expect((await target()).failure_cause).to.equal('health');
  });

  it('values that only a newer agent knows are ignored', async () => {
    const newer = {
      status: 'verifying',
      activity: 'calibrating',
      failure_cause: ['x'],
      later: 1,
    } as unknown as StatusReport;
    await report(newer);
    expect(await target()).to.include({ status: 'verifying', activity: null });
    await report({ status: 'failed', failure_cause: 'meteorite' } as unknown as StatusReport);
    expect(await target()).to.include({ status: 'failed', failure_cause: null });
  });
});
