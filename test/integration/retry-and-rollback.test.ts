import { expect } from 'chai';

import type { RetryResponse } from '../../backend/contract/admin-api.ts';
import type { NoUpdate, UpdateOffer } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { SeededDevice } from '../support/seed.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('retries and rollbacks', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  describe('a retry', () => {
    async function finished(
      ...results: ('completed' | 'failed' | 'rolled_back')[]
    ): Promise<string> {
      fleet = await createFleet(ota, results.length);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      for (const [index, result] of results.entries()) {
        await fleet.reports(fleet.devices[index]!, id, 'downloading', {
          status: result,
          error_message: `it ${result}`,
        });
      }
      return id;
    }

    it('starts a new attempt for all targets that failed or rolled back', async () => {
      const id = await finished('failed', 'completed', 'failed', 'rolled_back');
      const answer = await fleet.post(`/deployments/${id}/retry`).expect(200);
      const { retried_devices: retried, deployment } = answer.body as RetryResponse;
      expect(retried).to.equal(3);
      expect(deployment.status).to.equal('in_progress');
      expect(deployment.completed_at).to.equal(null);
      expect(deployment.progress).to.include({ pending: 3, completed: 1, rolled_back: 0 });
      const target = await fleet.target(id, fleet.device);
      expect(target).to.include({
        status: 'pending',
        attempt: 2,
        error_message: null,
        started_at: null,
        completed_at: null,
        progress: null,
      });
      const offer = (await fleet.poll(fleet.device)) as UpdateOffer;
      expect([offer.deployment_id, offer.attempt]).to.deep.equal([id, 2]);
      expect(await fleet.offered(fleet.devices[1]!)).to.equal(null);
      expect(await fleet.offered(fleet.devices[3]!)).to.equal(id);
    });

    for (const named of [true, false]) {
      it(`G43 keeps the results of earlier attempts, ${named ? 'for given devices' : 'for all devices'}`, async () => {
        const id = await finished('failed', 'rolled_back');
        const retry = async () => {
          const ids = { device_ids: fleet.devices.map((device) => device.id) };
          await fleet.act(id, 'retry', named ? ids : {});
        };
        await retry();
        await fleet.untilReleased(id, 2);
        await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'again' });
        const failed = await fleet.target(id, fleet.device);
        expect(failed.error_message).to.equal('again');
        const [first] = failed.earlier_attempts;
        expect(first).to.include({ attempt: 1, status: 'failed', error_message: 'it failed' });
        expect(Date.parse(first!.completed_at!)).to.be.at.least(Date.parse(first!.started_at!));
        await fleet.act(id, 'retry', { device_ids: [fleet.device.id] });
        const { earlier_attempts, error_message } = await fleet.target(id, fleet.device);
        expect(error_message).to.equal(null);
        expect(earlier_attempts.map((entry) => entry.error_message)).to.deep.equal([
          'it failed',
          'again',
        ]);
        const other = await fleet.target(id, fleet.devices[1]!);
        expect(other.earlier_attempts.map(({ status }) => status)).to.deep.equal(['rolled_back']);
      });
    }

    it('G43 keeps the results of the last twenty attempts', async () => {
      const id = await finished('failed');
      for (let attempt = 2; attempt <= 24; attempt += 1) {
        await fleet.act(id, 'retry');
        await fleet.reports(fleet.device, id, { status: 'failed', attempt });
      }
      const { earlier_attempts: kept } = await fleet.target(id, fleet.device);
      expect(kept.map(({ attempt }) => attempt)).to.deep.equal(
        Array.from({ length: 20 }, (_, index) => index + 4),
      );
    });

    it('does not include requested rollbacks unless they are given by id', async () => {
      const id = await finished('completed', 'failed');
      await fleet.post(`/deployments/${id}/devices/${fleet.device.id}/rollback`).expect(202);
      await fleet.reports(fleet.device, id, 'rolled_back');
      const detail = await fleet.detail(id);
      expect(detail.retryable_devices).to.equal(1);
      const answer = await fleet.post(`/deployments/${id}/retry`).expect(200);
      expect((answer.body as RetryResponse).deployment.progress).to.include({
        pending: 1,
        rolled_back: 1,
      });
    });

    it('of given devices does not include others', async () => {
      const id = await finished('failed', 'failed', 'rolled_back');
      const [one, two, three] = fleet.devices as [SeededDevice, SeededDevice, SeededDevice];
      const answer = await fleet
        .post(`/deployments/${id}/retry`, { device_ids: [one.id, three.id] })
        .expect(200);
      expect((answer.body as RetryResponse).retried_devices).to.equal(2);
      for (const device of [one, three]) {
        const offer = (await fleet.poll(device)) as UpdateOffer;
        expect([offer.deployment_id, offer.attempt]).to.deep.equal([id, 2]);
      }
      expect(await fleet.offered(two)).to.equal(null);
      expect((await fleet.detail(id)).progress).to.include({ failed: 1, pending: 2 });
    });

    it('is rejected if none of the given devices failed', async () => {
      const id = await finished('failed', 'completed');
      const foreign = await createFleet(ota, 1);
      for (const device of [fleet.devices[1]!, foreign.device]) {
        const answer = await fleet.post(`/deployments/${id}/retry`, { device_ids: [device.id] });
        expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
          409,
          'invalid_state',
        ]);
      }
      expect((await fleet.detail(id)).status).to.equal('failed');
    });

    it('can complete the deployment', async () => {
      const id = await finished('failed', 'completed');
      await fleet.act(id, 'retry');
      await fleet.reports(fleet.device, id, { status: 'completed', attempt: 2 });
      expect((await fleet.detail(id)).status).to.equal('completed');
    });

    it('of a paused deployment waits for the resume', async () => {
      fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'failed');
      await fleet.act(id, 'pause');
      await fleet.act(id, 'retry');
      expect((await fleet.detail(id)).status).to.equal('paused');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      await fleet.act(id, 'resume');
      expect(await fleet.offered(fleet.device)).to.equal(id);
    });

    it('adds an event with the number of devices', async () => {
      const id = await finished('failed', 'failed');
      await fleet.act(id, 'retry');
      const event = (await fleet.events(id)).find(({ type }) => type === 'retried');
      expect(event?.data).to.include({ devices: 2 });
      expect(event?.actor).to.deep.equal({
        type: 'admin',
        id: fleet.admin.id,
        name: 'Fleet admin',
        address: '127.0.0.1',
      });
    });
  });

  describe('a requested rollback', () => {
    async function completed(): Promise<string> {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading', 'completed');
      return id;
    }

    const requestRollback = (id: string, body: object = {}) =>
      fleet.post(`/deployments/${id}/devices/${fleet.device.id}/rollback`, body);

    it('is accepted and done when the device reports it', async () => {
      const id = await completed();
      const answer = await requestRollback(id).expect(202);
      expect(answer.body).to.have.all.keys('status', 'message').and.to.include({
        status: 'accepted',
      });
      const requested = await fleet.target(id, fleet.device);
      expect([requested.status, requested.rollback_requested]).to.deep.equal([
        'completed',
        'v2.0.0',
      ]);

      const poll = (await fleet.poll(fleet.device)) as NoUpdate;
      expect(poll.update_available).to.equal(false);
      expect(poll.rollback).to.include({ deployment_id: id, version: 'v2.0.0' });

      await fleet.reports(fleet.device, id, 'rolled_back');
      const done = await fleet.target(id, fleet.device);
      expect([done.status, done.rollback_requested]).to.deep.equal(['rolled_back', null]);
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
      expect(await fleet.poll(fleet.device)).not.to.have.property('rollback');
    });

    it('G43 keeps the duration and the error of the update', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      await fleet.reports(fleet.device, id, 'downloading', {
        status: 'failed',
        error_message: 'disk is full',
      });
      const { duration_seconds: lasted } = await fleet.target(id, fleet.device);
      expect(lasted).to.be.a('number');
      await ota
        .knex('ota_deployment_devices')
        .where({ deployment_id: id })
        .update({
          started_at: ota.knex.raw(`started_at - interval '1 hour'`),
          completed_at: ota.knex.raw(`completed_at - interval '1 hour'`),
        });
      await fleet.post(`/deployments/${id}/devices/${fleet.device.id}/rollback`).expect(202);
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'no snapshot' });
      expect((await fleet.target(id, fleet.device)).error_message).to.equal(
        'rollback failed: no snapshot; before that: disk is full',
      );
      await fleet.post(`/deployments/${id}/devices/${fleet.device.id}/rollback`).expect(202);
      await fleet.reports(fleet.device, id, 'rolled_back');
      const target = await fleet.target(id, fleet.device);
      expect(target.duration_seconds).to.equal(lasted);
      expect(target.error_message).to.include('disk is full');
      expect(Date.parse(target.completed_at!)).to.be.above(Date.parse(target.started_at!) + 1_000);
    });

    it('changes the counters of a finished deployment, never its state', async () => {
      const id = await completed();
      const before = await fleet.detail(id);
      await requestRollback(id).expect(202);
      await fleet.reports(fleet.device, id, 'rolled_back');
      const after = await fleet.detail(id);
      expect([after.status, after.completed_at]).to.deep.equal(['completed', before.completed_at]);
      expect(after.progress).to.include({ completed: 0, rolled_back: 1, percentage: 0 });
    });

    it('can be to a version that the admin chooses', async () => {
      const id = await completed();
      await requestRollback(id, { previous_version: 'v1.5.0' }).expect(202);
      expect(((await fleet.poll(fleet.device)) as NoUpdate).rollback?.version).to.equal('v1.5.0');
      await fleet.reports(fleet.device, id, 'rolled_back');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v1.5.0');
    });

    it('comes before any update', async () => {
      const id = await completed();
      const next = await fleet.rollOut({ target_version: 'v3.0.0' });
      await requestRollback(id).expect(202);
      const poll = (await fleet.poll(fleet.device)) as NoUpdate;
      expect(poll.update_available).to.equal(false);
      expect(poll.rollback?.deployment_id).to.equal(id);
      await fleet.reports(fleet.device, id, 'rolled_back');
      expect(await fleet.offered(fleet.device)).to.equal(next);
    });

    it('in an older deployment records the version that the device rolled back to', async () => {
      const older = await completed();
      const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
      await fleet.reports(fleet.device, newer, 'completed');
      await requestRollback(older, { force: true }).expect(202);
      await fleet.reports(fleet.device, older, 'rolled_back');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
    });

    it('is rejected if a newer version is installed, unless it is forced', async () => {
      const older = await completed();
      const newer = await fleet.rollOut({
        deployment_name: 'The newer one',
        target_version: 'v3.0.0',
      });
      await fleet.reports(fleet.device, newer, 'completed');
      for (const body of [{}, { force: false }, { previous_version: 'v1.0.0' }]) {
        const answer = await requestRollback(older, body).expect(409);
        const { code, detail } = answer.body as Problem;
        expect(code).to.equal('newer_version_installed');
        expect(detail).to.include('The newer one').and.include('v3.0.0').and.include(newer);
      }
      expect(await fleet.poll(fleet.device)).not.to.have.property('rollback');
      await requestRollback(older, { force: true }).expect(202);
      // In the newest deployment, force is not needed.
      await fleet.reports(fleet.device, older, 'rolled_back');
      await requestRollback(newer).expect(202);
    });

    it('that fails keeps the state, shows the reason, and can be repeated', async () => {
      const id = await completed();
      await requestRollback(id).expect(202);
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'no snapshot' });
      const target = await fleet.target(id, fleet.device);
      expect([target.status, target.rollback_requested]).to.deep.equal(['completed', null]);
      expect(target.error_message).to.include('no snapshot');
      expect(await fleet.eventTypes(id)).to.include('rollback_failed');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
      expect(await fleet.poll(fleet.device)).not.to.have.property('rollback');
      await requestRollback(id).expect(202);
    });

    it('for an updating device is offered instead of the update', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await requestRollback(id).expect(202);
      const poll = (await fleet.poll(fleet.device)) as NoUpdate;
      expect([poll.update_available, poll.rollback?.version]).to.deep.equal([false, 'v2.0.0']);
    });

    it('is rejected for a device that has not started', async () => {
      fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      const pending = await requestRollback(id);
      expect([pending.status, (pending.body as Problem).code]).to.deep.equal([
        409,
        'invalid_state',
      ]);
      await fleet.act(id, 'cancel');
      const skipped = await requestRollback(id);
      expect([skipped.status, (skipped.body as Problem).code]).to.deep.equal([
        409,
        'invalid_state',
      ]);
    });

    it('needs a version if the previous one is unknown', async () => {
      fleet = await createFleet(ota, 1, { firmwareVersion: null });
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'completed');
      const answer = await requestRollback(id);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        422,
        'previous_version_unknown',
      ]);
      await requestRollback(id, { previous_version: 'v1.0.0' }).expect(202);
    });

    it('is rejected with an invalid version', async () => {
      const id = await completed();
      for (const previous_version of ['', 7, 'x'.repeat(51), null]) {
        await requestRollback(id, { previous_version }).expect(400);
      }
      expect((await fleet.target(id, fleet.device)).rollback_requested).to.equal(null);
    });

    it('is required before a completed device can report rolled_back', async () => {
      const id = await completed();
      await fleet.report(fleet.device, id, 'rolled_back').expect(409);
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
    });
  });
});
