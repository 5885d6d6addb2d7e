import { expect } from 'chai';

import type { UpdateOffer } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import {
  CHECKSUM,
  DEVICE_API,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import { DEVICE_ENTRIES, ENTRY_NAMES } from '../support/fake-host.ts';

for (const entry of DEVICE_ENTRIES) {
  describe(`the device API, ${ENTRY_NAMES[entry]}`, () => {
    let ota: OtaServer;
    let fleet: Fleet;

    before(async () => {
      ota = await startOta({ config: { poll_interval_seconds: 100 }, entry });
    });

    beforeEach(async () => {
      fleet = await createFleet(ota, 2);
    });

    after(() => ota.close());

    const checkUpdate = (query: object) =>
      fleet.host.as(fleet.device).get(`${DEVICE_API}/check-update`).query(query);

    it('every other client gets the checksum as it was written', async () => {
      await fleet.rollOut();
      for (const userAgent of ['ota-agent', 'curl/8.5.0']) {
        const { body } = await checkUpdate({ device_id: fleet.device.id })
          .set('User-Agent', userAgent)
          .expect(200);
        expect((body as UpdateOffer).checksum).to.equal(`sha256:${CHECKSUM}`);
      }
    });

    describe('an older agent', () => {
      it('gets every field that it knows, with the same type', async () => {
        const id = await fleet.rollOut();
        const { body } = await checkUpdate({ device_id: fleet.device.id })
          .set('User-Agent', 'Python/3.11 aiohttp/3.9.1')
          .expect(200);
        expect(body).to.deep.include({
          update_available: true,
          deployment_id: id,
          target_version: 'v2.1.0',
          update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
          // It compares the checksum as text.
          checksum: CHECKSUM,
          release_notes: 'Bug fixes and performance improvements',
        });
      });

      it('gets missing release notes as an empty string', async () => {
        const { deployment_id: id } = await fleet.create();
        await ota.knex.raw(
          `UPDATE ota_deployments SET metadata = metadata - 'release_notes' WHERE id = ?`,
          [id],
        );
        await fleet.act(id, 'start');
        await fleet.untilReleased(id, 2);
        expect(((await fleet.poll(fleet.device)) as UpdateOffer).release_notes).to.equal('');
      });

      it('is told when there is no update', async () => {
        const { body } = await checkUpdate({
          device_id: fleet.device.id,
          current_version: 'v2.0.0',
        });
        expect(body).to.include({ update_available: false });
        expect(body).not.to.have.any.keys('deployment_id', 'rollback');
      });

      it('can report an update with status and error message alone', async () => {
        const id = await fleet.rollOut();
        for (const status of ['downloading', 'installing', 'verifying', 'completed']) {
          const answer = await fleet.host
            .as(fleet.device)
            .post(`${DEVICE_API}/deployments/${id}/status?device_id=${fleet.device.id}`)
            .send({ status, error_message: null })
            .expect(200);
          expect(answer.body.status).to.equal('success');
          expect(answer.body.message).to.be.a('string');
        }
        expect((await fleet.target(id, fleet.device)).status).to.equal('completed');
      });

      it('may omit the error message, leave it empty, and send unknown fields', async () => {
        const id = await fleet.rollOut();
        await fleet.reports(fleet.device, id, { status: 'downloading' });
        await fleet.reports(fleet.device, id, { status: 'installing', error_message: '' });
        await fleet.reports(fleet.device, id, {
          status: 'failed',
          error_message: 'no',
          timestamp: 1,
          details: { deep: ['x'] },
        } as never);
        expect((await fleet.target(id, fleet.device)).error_message).to.equal('no');
      });
    });

    it('matches paths without regard to case and a trailing slash', async () => {
      const id = await fleet.rollOut();
      for (const path of ['/check-update', '/check-update/', '/Check-Update']) {
        const answer = await fleet.host
          .as(fleet.device)
          .get(`${DEVICE_API}${path}?device_id=${fleet.device.id}`)
          .expect(200);
        expect((answer.body as UpdateOffer).deployment_id, path).to.equal(id);
      }
      for (const path of [
        '/check-update/x',
        '/check-updates',
        '//check-update',
        '/check%2Dupdate',
        '/deployments/x/y',
      ]) {
        const answer = await fleet.host
          .as(fleet.device)
          .get(`${DEVICE_API}${path}?device_id=${fleet.device.id}`)
          .expect(404);
        expect((answer.body as Problem).code, path).to.equal('not_found');
      }
    });

    describe('an offer', () => {
      it('is repeated to a device that lost its state', async () => {
        const id = await fleet.rollOut();
        await fleet.reports(fleet.device, id, 'downloading', 'installing');
        const again = (await fleet.poll(fleet.device)) as UpdateOffer;
        expect([again.deployment_id, again.attempt]).to.deep.equal([id, 1]);
      });

      it('is for the unfinished update first, then for a newer deployment', async () => {
        const started = await fleet.rollOut();
        await fleet.reports(fleet.device, started, 'downloading');
        const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
        expect(await fleet.offered(fleet.device)).to.equal(started);
        expect(await fleet.offered(fleet.devices[1]!)).to.equal(newer);
        await fleet.reports(fleet.device, started, 'completed');
        expect(await fleet.offered(fleet.device)).to.equal(newer);
      });

      it('is for the newest deployment with a released target for the device', async () => {
        const old = await fleet.rollOut();
        await fleet.create({ target_version: 'v4.0.0' });
        expect(await fleet.offered(fleet.device)).to.equal(old);
        const newest = await fleet.rollOut({ target_version: 'v3.0.0' });
        expect(await fleet.offered(fleet.device)).to.equal(newest);
        await fleet.act(newest, 'pause');
        expect(await fleet.offered(fleet.device)).to.equal(old);
      });

      it('ends when the update finishes', async () => {
        const id = await fleet.rollOut();
        for (const end of ['completed', 'failed'] as const) {
          const device = fleet.devices[end === 'completed' ? 0 : 1]!;
          await fleet.reports(device, id, end);
          expect(await fleet.offered(device)).to.equal(null);
        }
      });

      it('contains no manifest if the deployment has none', async () => {
        await fleet.rollOut();
        expect(await fleet.poll(fleet.device)).not.to.have.any.keys(
          'manifest',
          'signature',
          'rollback',
        );
      });
    });

    it('spreads poll_after_seconds by ten percent around the interval', async () => {
      const intervals = await Promise.all(
        Array.from({ length: 40 }, async () => (await fleet.poll(fleet.device)).poll_after_seconds),
      );
      for (const seconds of intervals) expect(seconds).to.be.within(90, 110);
      expect(new Set(intervals).size).to.be.greaterThan(3);
    });

    describe('F54 a device', () => {
      it('cannot poll as another device', async () => {
        await fleet.rollOut();
        const other = fleet.devices[1]!;
        for (const device_id of [other.id, 'x', '', [fleet.device.id, other.id]]) {
          const answer = await checkUpdate({ device_id });
          expect([answer.status, (answer.body as Problem).code]).to.deep.equal([403, 'forbidden']);
        }
        const missing = await checkUpdate({});
        expect(missing.status).to.be.oneOf([400, 403]);
        expect(missing.body).not.to.have.property('deployment_id');
      });

      it('cannot send reports or logs as another device', async () => {
        const id = await fleet.rollOut();
        const other = fleet.devices[1]!;
        for (const [path, body] of [
          ['status', { status: 'failed' }],
          ['logs', { attempt: 1, chunk: 'x' }],
        ] as const) {
          const answer = await fleet.host
            .as(fleet.device)
            .post(`${DEVICE_API}/deployments/${id}/${path}`)
            .query({ device_id: other.id })
            .send(body);
          expect([answer.status, (answer.body as Problem).code]).to.deep.equal([403, 'forbidden']);
        }
        expect((await fleet.target(id, other)).status).to.equal('pending');
      });

      it('gets a 404 for deployments that do not contain it or do not exist', async () => {
        const id = await fleet.rollOut({ device_ids: [fleet.devices[1]!.id] });
        const foreign = await createFleet(ota, 1);
        const theirs = await foreign.rollOut();
        for (const deployment of [id, theirs, '11111111-1111-4111-8111-111111111111', 'x']) {
          const report = await fleet.report(fleet.device, deployment, 'completed');
          expect([report.status, (report.body as Problem).code]).to.deep.equal([404, 'not_found']);
        }
        expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
      });
    });

    describe('on two servers', () => {
      it('no poll is answered from the state before a completed pause, resume or cancel', async () => {
        const second = await startServer(ota.knex, { role: 'api' });
        try {
          const there = fleet.through(second.host);
          const id = await fleet.rollOut();
          expect(await there.offered(fleet.device)).to.equal(id);
          await fleet.act(id, 'pause');
          expect(await there.offered(fleet.device)).to.equal(null);
          await there.act(id, 'resume');
          expect(await fleet.offered(fleet.device)).to.equal(id);
          await fleet.act(id, 'cancel');
          expect(await there.offered(fleet.device)).to.equal(null);
        } finally {
          await second.close();
        }
      });
    });

    it('answers each of many concurrent polls and reports for its own device', async () => {
      const many = await createFleet(ota, 120);
      const id = await many.rollOut({ policy: { failure_threshold_percent: null } });
      const ends = ['completed', 'failed', 'rolled_back'] as const;
      await Promise.all([
        ...many.devices.map((device, index) => many.reports(device, id, ends[index % 3]!)),
        ...many.devices.map((device) => many.poll(device)),
      ]);
      const { progress, status } = await many.detail(id);
      expect([status, progress.completed, progress.failed, progress.rolled_back]).to.deep.equal([
        'failed',
        40,
        40,
        40,
      ]);
      const completed = await many.targets(id, 'status=completed');
      expect(completed.map((target) => target.device_id)).to.have.members(
        many.devices.filter((_, index) => index % 3 === 0).map((device) => device.id),
      );
    });

    it('accepts the valid report of two that arrive together', async () => {
      const id = await fleet.rollOut();
      const [good, bad] = fleet.devices;
      const [accepted, rejected] = await Promise.all([
        fleet.report(good!, id, 'completed'),
        fleet.report(bad!, id, { status: 'completed', attempt: 9 }),
      ]);
      expect([accepted.status, rejected.status]).to.deep.equal([200, 400]);
      expect((await fleet.detail(id)).progress.completed).to.equal(1);
    });
  });
}
