import { expect } from 'chai';

import type { SeededDevice } from '../support/seed.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';
import { untilWaitingForLock } from '../support/blocked-sessions.ts';

/** The tests make time pass by setting stored times back. */
const MINUTE = '1 minute';

describe('time limits', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });

  after(() => ota.close());

  async function letReportsAge(
    id: string,
    device: SeededDevice,
    count: number,
    unit = MINUTE,
  ): Promise<void> {
    await ota.knex.raw(
      `UPDATE ota_deployment_devices SET last_report_at = last_report_at - ?::interval * ?
       WHERE deployment_id = ? AND device_id = ?`,
      [unit, count, id, device.id],
    );
  }

  async function letReleasesAge(id: string, hours: number): Promise<void> {
    await ota.knex.raw(
      `UPDATE ota_deployment_batches SET released_at = released_at - interval '1 hour' * ?
       WHERE deployment_id = ? AND released_at IS NOT NULL`,
      [hours, id],
    );
  }

  /** Resolves when the sweep has handled all devices that are silent by now. It waits for one more such device. */
  async function untilSilentDevicesSwept(): Promise<void> {
    const witness = await createFleet(ota, 1);
    const id = await witness.rollOut();
    await witness.reports(witness.device, id, 'downloading');
    await letReportsAge(id, witness.device, 61);
    await witness.until(id, ({ status }) => status === 'failed');
  }

  /** The same for devices that have not polled by now. */
  async function untilAbsentDevicesSwept(): Promise<void> {
    const witness = await createFleet(ota, 1);
    const id = await witness.rollOut({ policy: { pickup_timeout_hours: 1 } });
    await letReleasesAge(id, 2);
    await witness.until(id, ({ status }) => status === 'completed');
  }

  describe('F69 a device that stops reporting', () => {
    for (const status of ['downloading', 'installing', 'verifying'] as const) {
      it(`while ${status} fails after an hour with a reason`, async () => {
        fleet = await createFleet(ota, 1);
        const id = await fleet.rollOut();
        await fleet.reports(fleet.device, id, status);
        await letReportsAge(id, fleet.device, 61);
        const detail = await fleet.until(id, (now) => now.progress.failed === 1);
        expect(detail.status).to.equal('failed');
        const [target] = detail.devices;
        expect(target?.error_message).to.include('no report').and.to.include('60 minutes');
        expect(target?.completed_at).to.be.a('string');
        expect(await fleet.eventTypes(id)).to.include('device_timed_out');
      });
    }

    it('does not fail earlier', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await letReportsAge(id, fleet.device, 59);
      await untilSilentDevicesSwept();
      expect((await fleet.target(id, fleet.device)).status).to.equal('installing');
    });

    it('fails after the time of the policy', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut({ policy: { device_timeout_minutes: 5 } });
      await fleet.reports(fleet.device, id, 'installing');
      await letReportsAge(id, fleet.device, 6);
      const detail = await fleet.until(id, (now) => now.progress.failed === 1);
      expect(detail.devices[0]?.error_message).to.include('5 minutes');
    });

    it('does not fail if it repeats its report', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await letReportsAge(id, fleet.device, 59);
      await fleet.reports(fleet.device, id, 'installing');
      await letReportsAge(id, fleet.device, 59);
      await untilSilentDevicesSwept();
      expect((await fleet.target(id, fleet.device)).status).to.equal('installing');
    });

    it('does not fail if its report arrives during the sweep', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      // The report has locked the deployment. The sweep has found the target and waits.
      await ota.knex.transaction(async (report) => {
        await report('ota_deployments').where({ id }).forUpdate().first('id');
        await letReportsAge(id, fleet.device, 61);
        await untilWaitingForLock(ota.knex);
        await report('ota_deployment_devices')
          .where({ deployment_id: id, device_id: fleet.device.id })
          .update({ last_report_at: report.fn.now() });
      });
      await untilSilentDevicesSwept();
      expect((await fleet.target(id, fleet.device)).status).to.equal('installing');
    });

    it('counts toward the failure threshold', async () => {
      fleet = await createFleet(ota, 10);
      const id = await fleet.rollOut();
      await fleet.reportAll(fleet.devices.slice(0, 3), id, 'completed');
      const silent = fleet.devices.slice(3, 5);
      await fleet.reportAll(silent, id, 'installing');
      for (const device of silent) await letReportsAge(id, device, 61);
      const detail = await fleet.until(id, ({ status }) => status === 'paused');
      expect(detail.paused_reason).to.equal('failure_threshold');
    });

    it('also fails in a paused or cancelled deployment', async () => {
      for (const action of ['pause', 'cancel'] as const) {
        fleet = await createFleet(ota, 2);
        const id = await fleet.rollOut();
        await fleet.reports(fleet.device, id, 'installing');
        const { status } = await fleet.act(id, action);
        await letReportsAge(id, fleet.device, 61);
        const detail = await fleet.until(id, (now) => now.progress.failed === 1);
        expect(detail.status).to.equal(status);
      }
    });
  });

  describe('a device that reports after it timed out', () => {
    async function timedOut(): Promise<string> {
      fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await letReportsAge(id, fleet.device, 61);
      await fleet.until(id, (now) => now.progress.failed === 1);
      return id;
    }

    for (const status of ['completed', 'rolled_back'] as const) {
      it(`is ${status} if it reports that`, async () => {
        const id = await timedOut();
        await fleet.reports(fleet.device, id, status);
        expect((await fleet.detail(id)).progress).to.include({ failed: 0, [status]: 1 });
        expect((await fleet.target(id, fleet.device)).error_message).to.equal(null);
        const version = status === 'completed' ? 'v2.1.0' : 'v2.0.0';
        expect(await fleet.installedVersion(fleet.device)).to.equal(version);
      });
    }

    it('has the reported reason if it reports a failure', async () => {
      const id = await timedOut();
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'disk full' });
      const target = await fleet.target(id, fleet.device);
      expect([target.status, target.error_message]).to.deep.equal(['failed', 'disk full']);
      expect((await fleet.detail(id)).progress.failed).to.equal(1);
      expect(await fleet.eventTypes(id)).to.include('device_failed');
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'disk full' });
      const failures = (await fleet.eventTypes(id)).filter((type) => type === 'device_failed');
      expect(failures).to.have.length(1);
    });

    it('F56 gets a 409 for a step before the result', async () => {
      const id = await timedOut();
      await fleet.report(fleet.device, id, 'verifying').expect(409);
      expect((await fleet.target(id, fleet.device)).status).to.equal('failed');
    });

    it('cannot complete a failure that it reported itself', async () => {
      fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'failed');
      await fleet.report(fleet.device, id, 'completed').expect(409);
    });
  });

  describe('F69 a device that never polls', () => {
    it('is skipped after 24 hours in a rolling deployment, which then continues', async () => {
      fleet = await createFleet(ota, 4);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
      const [came, dead] = await fleet.batch(id, 1);
      await fleet.reports(came!, id, 'completed');
      await letReleasesAge(id, 25);
      await fleet.untilReleased(id, 4);
      const target = await fleet.target(id, dead!);
      expect(target.status).to.equal('skipped');
      expect(target.error_message).to.include('did not check in');
      expect(await fleet.eventTypes(id)).to.include('devices_skipped');
      expect((await fleet.detail(id)).progress).to.include({ skipped: 1, pending: 2 });
    });

    it('is not skipped earlier or with another strategy', async () => {
      fleet = await createFleet(ota, 2);
      const rolling = await fleet.rollOut({ rollout_strategy: 'rolling' });
      await letReleasesAge(rolling, 23);
      const immediate = await fleet.rollOut();
      await letReleasesAge(immediate, 1_000);
      await untilAbsentDevicesSwept();
      expect((await fleet.detail(rolling)).progress.pending).to.equal(2);
      expect((await fleet.detail(immediate)).progress.pending).to.equal(2);
    });

    it('is skipped after the time of the policy, or never', async () => {
      fleet = await createFleet(ota, 1);
      const short = await fleet.rollOut({ policy: { pickup_timeout_hours: 0.5 } });
      await letReleasesAge(short, 1);
      await fleet.until(short, ({ progress }) => progress.skipped === 1);
      const never = await fleet.rollOut({
        rollout_strategy: 'rolling',
        policy: { pickup_timeout_hours: null },
      });
      await letReleasesAge(never, 1_000);
      await untilAbsentDevicesSwept();
      expect((await fleet.detail(never)).progress.pending).to.equal(1);
    });

    it('is not skipped while the deployment is paused or right after the resume', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling' });
      await fleet.act(id, 'pause');
      await letReleasesAge(id, 25);
      await untilAbsentDevicesSwept();
      expect((await fleet.detail(id)).progress.pending).to.equal(1);
      await fleet.act(id, 'resume');
      await untilAbsentDevicesSwept();
      expect((await fleet.detail(id)).progress.pending).to.equal(1);
    });

    it('gets the full time again after a retry', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling' });
      await fleet.reports(fleet.device, id, 'failed');
      await letReleasesAge(id, 100);
      await fleet.act(id, 'retry');
      await untilAbsentDevicesSwept();
      expect((await fleet.target(id, fleet.device)).status).to.equal('pending');
      expect(await fleet.offered(fleet.device)).to.equal(id);
    });

    it('is skipped without a limit if it was removed from Ops-Center', async () => {
      fleet = await createFleet(ota, 3);
      const id = await fleet.rollOut({ policy: { pickup_timeout_hours: null } });
      const [gone, ...others] = fleet.devices;
      await fleet.knex('edge_devices').where({ id: gone!.id }).delete();
      await fleet.reportAll(others, id, 'completed');
      const { status, progress } = await fleet.until(
        id,
        (detail) => detail.status !== 'in_progress',
      );
      expect(status).to.equal('completed');
      expect(progress).to.include({ completed: 2, skipped: 1 });
      expect((await fleet.target(id, gone!)).error_message).to.equal(
        'the device was removed from Ops-Center',
      );
      const event = (await fleet.events(id)).find(({ type }) => type === 'devices_skipped');
      expect(event?.data).to.deep.equal({ reason: 'removed', devices: 1 });
    });

    it('can still report the result of an earlier offer', async () => {
      fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut({ policy: { pickup_timeout_hours: 1 } });
      await letReleasesAge(id, 2);
      await fleet.until(id, ({ progress }) => progress.skipped === 2);
      await fleet.reports(fleet.device, id, 'completed');
      expect((await fleet.detail(id)).progress).to.include({ completed: 1, skipped: 1 });
    });
  });

  describe('a scheduled start', () => {
    const inMilliseconds = (count: number) => new Date(Date.now() + count).toISOString();

    it('happens at its time', async () => {
      fleet = await createFleet(ota, 1);
      const at = inMilliseconds(700);
      const { deployment_id: id, scheduled_at: scheduledAt } = await fleet.create({
        scheduled_at: at,
      });
      expect(scheduledAt).to.equal(at);
      expect((await fleet.detail(id)).status).to.equal('pending');
      const started = await fleet.untilReleased(id, 1, { timeout: 10_000 });
      expect(Date.parse(started.started_at!)).to.be.at.least(Date.parse(at));
      const event = (await fleet.events(id)).find(({ type }) => type === 'started');
      expect(event?.actor.type).to.equal('system');
    });

    it('does not happen if an admin cancelled the deployment', async () => {
      fleet = await createFleet(ota, 1);
      const { deployment_id: id } = await fleet.create({ scheduled_at: inMilliseconds(600) });
      await fleet.act(id, 'cancel');
      const later = await fleet.create({ scheduled_at: inMilliseconds(900) });
      await fleet.untilReleased(later.deployment_id, 1, { timeout: 10_000 });
      expect((await fleet.detail(id)).status).to.equal('cancelled');
    });

    it('can be done earlier by an admin', async () => {
      fleet = await createFleet(ota, 1);
      const { deployment_id: id } = await fleet.create({ scheduled_at: inMilliseconds(3_600_000) });
      await fleet.act(id, 'start');
      await fleet.untilReleased(id, 1);
    });
  });
});
