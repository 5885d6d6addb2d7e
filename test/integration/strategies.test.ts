import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import { deploymentRequest, createFleet, startOta, type OtaServer } from '../support/ota-server.ts';

describe('rollout strategies', () => {
  let ota: OtaServer;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  const sizes = (batches: { size: number }[]) => batches.map((batch) => batch.size);

  describe('before the start', () => {
    it('release and offer nothing', async () => {
      const fleet = await createFleet(ota, 3);
      const { deployment_id: id } = await fleet.create();
      const detail = await fleet.detail(id);
      expect([detail.phase, detail.released_devices]).to.deep.equal(['not_started', 0]);
      expect(detail.batches[0]?.state).to.equal('planned');
      expect(await fleet.offered(fleet.device)).to.equal(null);
    });
  });

  describe('manual', () => {
    it('offers to exactly the picked devices, in one batch', async () => {
      const fleet = await createFleet(ota, 6);
      const picked = fleet.devices.slice(2, 4);
      const id = await fleet.rollOut({
        rollout_strategy: 'manual',
        device_ids: picked.map((device) => device.id),
      });
      expect(sizes((await fleet.detail(id)).batches)).to.deep.equal([2]);
      for (const device of fleet.devices) {
        expect(await fleet.offered(device)).to.equal(picked.includes(device) ? id : null);
      }
    });
  });

  describe('immediate', () => {
    it('offers to all matching devices at once', async () => {
      const fleet = await createFleet(ota, 12);
      const id = await fleet.rollOut();
      const detail = await fleet.detail(id);
      expect(sizes(detail.batches)).to.deep.equal([12]);
      expect(detail.phase).to.equal('rolling_out');
      const offers = await Promise.all(fleet.devices.map((device) => fleet.offered(device)));
      expect(new Set(offers)).to.deep.equal(new Set([id]));
    });
  });

  describe('canary', () => {
    for (const [total, percentage, first] of [
      [10, undefined, 1],
      [25, 10, 2],
      [5, 10, 1],
      [10, 35, 3],
      [1, 50, 1],
    ] as const) {
      it(`releases ${first} of ${total} devices first at ${percentage ?? 'the default'} %`, async () => {
        const fleet = await createFleet(ota, total);
        const { deployment_id: id } = await fleet.create({
          rollout_strategy: 'canary',
          ...(percentage !== undefined && { rollout_percentage: percentage }),
        });
        const { batches } = await fleet.detail(id);
        expect(sizes(batches)).to.deep.equal(total > first ? [first, total - first] : [first]);
      });
    }

    it('waits for an expansion after its first batch', async () => {
      const fleet = await createFleet(ota, 10);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
      const detail = await fleet.detail(id);
      expect([detail.status, detail.phase]).to.deep.equal(['in_progress', 'awaiting_expansion']);
      expect(detail.released_devices).to.equal(2);
      for (const device of await fleet.batch(id, 2)) {
        expect(await fleet.offered(device)).to.equal(null);
      }
    });

    it('G40 is in phase canary_running until its last released device has finished', async () => {
      const fleet = await createFleet(ota, 10);
      const { deployment_id: id } = await fleet.create({
        rollout_strategy: 'canary',
        rollout_percentage: 30,
        policy: { failure_threshold_percent: null },
      });
      const phase = async () => (await fleet.detail(id)).phase;
      expect(await phase()).to.equal('not_started');
      const started = await fleet.act(id, 'start');
      expect(started.phase).to.equal('canary_running');
      await fleet.untilReleased(id, 3);
      const [first, second, third] = await fleet.batch(id, 1);
      expect(await phase()).to.equal('canary_running');
      await fleet.reports(first!, id, 'completed');
      await fleet.reports(second!, id, 'failed');
      expect(await phase()).to.equal('canary_running');
      await fleet.act(id, 'pause');
      expect(await phase()).to.equal('canary_running');
      await fleet.act(id, 'resume');
      await fleet.reports(third!, id, 'downloading', 'rolled_back');
      expect(await phase()).to.equal('awaiting_expansion');
      await fleet.act(id, 'retry', { device_ids: [second!.id] });
      expect(await phase()).to.equal('canary_running');
    });

    it('can be expanded to 50, then to 100 percent, and completes with the last device', async () => {
      const fleet = await createFleet(ota, 10);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');

      await fleet.act(id, 'expand', { percentage: 50 });
      const expanded = await fleet.untilReleased(id, 5);
      expect(expanded.phase).to.equal('canary_running');
      expect(sizes(expanded.batches)).to.deep.equal([2, 3, 5]);
      expect(expanded.batches.map((batch) => batch.state)).to.deep.equal([
        'ended',
        'running',
        'planned',
      ]);
      const second = await fleet.batch(id, 2);
      expect(await fleet.offered(second[0]!)).to.equal(id);
      await fleet.reportAll(second, id, 'completed');
      expect((await fleet.detail(id)).phase).to.equal('awaiting_expansion');

      await fleet.act(id, 'expand');
      const whole = await fleet.untilReleased(id, 10);
      expect(whole.phase).to.equal('rolling_out');
      await fleet.reportAll(await fleet.batch(id, 3), id, 'completed');
      const ended = await fleet.detail(id);
      expect([ended.status, ended.phase, ended.progress.percentage]).to.deep.equal([
        'completed',
        'ended',
        100,
      ]);
      const breakdowns = ended.batches.map((batch) => batch.status_breakdown.completed);
      expect(breakdowns).to.deep.equal([2, 3, 5]);
    });

    it('can be expanded before the first batch has finished', async () => {
      const fleet = await createFleet(ota, 10);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
      await fleet.act(id, 'expand', { percentage: 100 });
      await fleet.untilReleased(id, 10);
    });

    it('rejects a percentage that adds no device or is invalid', async () => {
      const fleet = await createFleet(ota, 10);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
      for (const percentage of [10, 20, 29]) {
        const answer = await fleet.post(`/deployments/${id}/expand`, { percentage });
        expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
          422,
          'percentage_too_low',
        ]);
      }
      for (const percentage of [0, 101, 'half', null]) {
        const answer = await fleet.post(`/deployments/${id}/expand`, { percentage });
        expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
          400,
          'invalid_request',
        ]);
      }
      expect((await fleet.detail(id)).released_devices).to.equal(2);
    });

    it('selects online devices first', async () => {
      const fleet = await createFleet(ota, 12, { status: 'offline' });
      const online = await fleet.addDevices(3, { namePrefix: 'online' });
      const { deployment_id: id } = await fleet.create({
        rollout_strategy: 'canary',
        rollout_percentage: 20,
      });
      expect(await fleet.batch(id, 1)).to.have.members(online);
    });
  });

  describe('rolling', () => {
    for (const { total, request, batches } of [
      { total: 12, request: {}, batches: [5, 5, 2] },
      { total: 40, request: {}, batches: [8, 8, 8, 8, 8] },
      { total: 20, request: { rollout_percentage: 50 }, batches: [10, 10] },
      { total: 7, request: { rollout_percentage: 10 }, batches: [5, 2] },
      { total: 5, request: { batch_size: 2 }, batches: [2, 2, 1] },
    ]) {
      it(`splits ${total} devices with ${JSON.stringify(request)} into ${batches.join(', ')}`, async () => {
        const fleet = await createFleet(ota, total);
        const { deployment_id: id } = await fleet.create({
          rollout_strategy: 'rolling',
          ...request,
        });
        expect(sizes((await fleet.detail(id)).batches)).to.deep.equal(batches);
      });
    }

    it('releases the next batch when every target of the previous one has finished', async () => {
      const fleet = await createFleet(ota, 5);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
      const [one, two] = await fleet.batch(id, 1);
      await fleet.reports(one!, id, 'completed');
      await fleet.reports(two!, id, 'verifying');
      expect((await fleet.detail(id)).released_devices).to.equal(2);
      await fleet.reports(two!, id, 'completed');
      const second = await fleet.untilReleased(id, 4);
      expect(second.released_devices).to.equal(4);
      await fleet.reportAll(await fleet.batch(id, 2), id, 'completed');
      await fleet.untilReleased(id, 5);
      await fleet.reportAll(await fleet.batch(id, 3), id, 'completed');
      expect((await fleet.detail(id)).status).to.equal('completed');
      expect(await fleet.eventTypes(id)).to.deep.equal([
        'created',
        'started',
        'batch_released',
        'batch_released',
        'batch_released',
        'completed',
      ]);
    });

    it('F66 releases one batch when several reports finish the previous one at once', async () => {
      const fleet = await createFleet(ota, 30);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 10 });
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
      const detail = await fleet.untilReleased(id, 20);
      expect(detail.released_devices).to.equal(20);
      expect(detail.batches.map((batch) => batch.state)).to.deep.equal([
        'ended',
        'running',
        'planned',
      ]);
    });

    it('continues after a batch whose targets were all superseded', async () => {
      const fleet = await createFleet(ota, 6);
      const { deployment_id: id } = await fleet.create({
        rollout_strategy: 'rolling',
        batch_size: 2,
      });
      const middle = await fleet.batch(id, 2);
      const newer = await fleet.rollOut({
        target_version: 'v3.0.0',
        device_ids: middle.map((device) => device.id),
      });
      await fleet.reportAll(middle, newer, 'completed');
      await fleet.act(id, 'start');
      await fleet.untilReleased(id, 2);
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
      await fleet.untilReleased(id, 6);
      expect(await fleet.offered((await fleet.batch(id, 3))[0]!)).to.equal(id);
    });
  });

  describe('pause and resume', () => {
    it('offer nothing while paused, neither new nor started updates', async () => {
      const fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading');
      await fleet.act(id, 'pause');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      expect(await fleet.offered(fleet.devices[1]!)).to.equal(null);
      expect((await fleet.detail(id)).paused_reason).to.equal('admin');
    });

    it('let updating devices finish', async () => {
      const fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'downloading');
      await fleet.act(id, 'pause');
      const answer = await fleet.report(fleet.device, id, 'installing').expect(200);
      expect(answer.body).to.include({ status: 'success', directive: 'continue' });
      await fleet.reports(fleet.device, id, 'completed');
      expect((await fleet.detail(id)).progress.completed).to.equal(1);
    });

    it('release no batch while paused and continue after the resume', async () => {
      const fleet = await createFleet(ota, 4);
      const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
      await fleet.act(id, 'pause');
      await fleet.reportAll(await fleet.batch(id, 1), id, 'completed');
      const paused = await fleet.detail(id);
      expect([paused.status, paused.released_devices]).to.deep.equal(['paused', 2]);
      expect(paused.batches[1]?.state).to.equal('planned');
      await fleet.act(id, 'resume');
      await fleet.untilReleased(id, 4);
      expect((await fleet.detail(id)).progress.completed).to.equal(2);
    });

    it('release nothing if the pause follows the start at once', async () => {
      const fleet = await createFleet(ota, 2);
      const { deployment_id: id } = await fleet.create();
      await fleet.act(id, 'start');
      await fleet.act(id, 'pause');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      await fleet.act(id, 'resume');
      await fleet.untilReleased(id, 2);
      expect(await fleet.offered(fleet.device)).to.equal(id);
    });
  });

  describe('the plan', () => {
    it('has different first devices for different deployments', async () => {
      const fleet = await createFleet(ota, 20);
      const first = new Set<string>();
      for (let round = 0; round < 6; round += 1) {
        const { deployment_id: id } = await fleet.create({ rollout_strategy: 'canary' });
        for (const device of await fleet.batch(id, 1)) first.add(device.id);
      }
      expect(first.size).to.be.greaterThan(2);
    });

    it('does not include devices that were added later', async () => {
      const fleet = await createFleet(ota, 2);
      const { deployment_id: id } = await fleet.create();
      const [late] = await fleet.addDevices(1, { namePrefix: 'late' });
      await fleet.act(id, 'start');
      await fleet.untilReleased(id, 2);
      expect(await fleet.offered(late!)).to.equal(null);
      expect((await fleet.detail(id)).progress.total_devices).to.equal(2);
    });

    it('is rejected if it needs more than a thousand batches', async () => {
      const fleet = await createFleet(ota, 1_001);
      const answer = await fleet.post('/deployments', {
        ...deploymentRequest({
          rollout_strategy: 'rolling',
          batch_size: 1,
        }),
      });
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        422,
        'too_many_batches',
      ]);
      expect((await fleet.get('/deployments')).body.pagination.total_count).to.equal(0);
    });
  });
});
