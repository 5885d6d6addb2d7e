import { expect } from 'chai';

import type {
  DeploymentDetail,
  DeploymentList,
  DevicePage,
  EventPage,
  OtaMetrics,
  TargetPage,
} from '../../backend/contract/admin-api.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('the admin API', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  it('shows a deployment and its counters from one snapshot', async () => {
    fleet = await createFleet(ota, 1);
    const id = await fleet.rollOut();
    // Finishes the deployment as a report would, while the readers wait for the counters.
    const report = await ota.knex.transaction();
    await report.raw('LOCK TABLE ota_deployment_batches IN ACCESS EXCLUSIVE MODE');
    const reading = Promise.all([
      fleet.get(`/deployments/${id}`).expect(200),
      fleet.get('/deployments').expect(200),
    ]);
    await waitFor(
      async () =>
        (
          await ota
            .knex('pg_locks')
            .whereRaw('NOT granted')
            .andWhereRaw(`relation = 'ota_deployment_batches'::regclass`)
        ).length === 3,
      { describe: 'both readers wait for the counters, and the list for the durations' },
    );
    await report('ota_deployments').where({ id }).update({ status: 'failed' });
    await report('ota_deployment_batches')
      .where({ deployment_id: id })
      .update({ pending: 0, failed: 1 });
    await report.commit();
    const [detail, list] = await reading;
    const { status, progress } = detail.body as DeploymentDetail;
    expect([status, progress.failed]).to.be.deep.oneOf([
      ['in_progress', 0],
      ['failed', 1],
    ]);
    const [row] = (list.body as DeploymentList).deployments;
    expect([row?.status, row?.failed_devices]).to.be.deep.oneOf([
      ['in_progress', 0],
      ['failed', 1],
    ]);
  });

  describe('the list of deployments', () => {
    before(async () => {
      fleet = await createFleet(ota, 4);
      for (const name of ['Alpha', 'Beta 100%', 'Gamma', 'Delta_1', 'Epsilon']) {
        await fleet.create({ deployment_name: name, target_version: `v-${name[0]}` });
      }
    });

    async function list(query: string): Promise<DeploymentList> {
      return (await fleet.get(`/deployments${query}`).expect(200)).body as DeploymentList;
    }
    const names = ({ deployments }: DeploymentList) =>
      deployments.map((deployment) => deployment.deployment_name);

    it('is sorted newest first and has the figures of each row', async () => {
      const all = await list('');
      expect(names(all)).to.deep.equal(['Epsilon', 'Delta_1', 'Gamma', 'Beta 100%', 'Alpha']);
      expect(all.deployments[0]).to.include({
        target_version: 'v-E',
        status: 'pending',
        progress_percentage: 0,
        total_devices: 4,
        completed_devices: 0,
        failed_devices: 0,
        rolled_back_devices: 0,
      });
      expect(all.pagination).to.deep.equal({
        page: 1,
        page_size: 20,
        total_count: 5,
        total_pages: 1,
      });
    });

    it('is paginated', async () => {
      const first = await list('?page_size=2');
      const last = await list('?page=3&page_size=2');
      expect(names(first)).to.deep.equal(['Epsilon', 'Delta_1']);
      expect(names(last)).to.deep.equal(['Alpha']);
      expect(last.pagination).to.deep.equal({
        page: 3,
        page_size: 2,
        total_count: 5,
        total_pages: 3,
      });
      expect(names(await list('?page=9&page_size=2'))).to.deep.equal([]);
    });

    it('can be searched by name and version, ignoring case', async () => {
      expect(names(await list('?search=aLPH'))).to.deep.equal(['Alpha']);
      expect(names(await list('?search=V-G'))).to.deep.equal(['Gamma']);
    });

    it('F58 treats SQL in a search as text', async () => {
      expect(names(await list(`?search=${encodeURIComponent('100%')}`))).to.deep.equal([
        'Beta 100%',
      ]);
      expect(names(await list('?search=_'))).to.deep.equal(['Delta_1']);
      expect(names(await list(`?search=${encodeURIComponent('\\')}`))).to.deep.equal([]);
      expect(names(await list(`?search=${encodeURIComponent(`' OR 'x'='x`)}`))).to.deep.equal([]);
    });

    it('can be filtered by status', async () => {
      const [newest] = (await list('')).deployments;
      await fleet.act(newest!.deployment_id, 'cancel');
      expect(names(await list('?status=cancelled'))).to.deep.equal(['Epsilon']);
      const pending = await list('?status=pending&search=a');
      expect(names(pending)).to.have.members(['Delta_1', 'Gamma', 'Beta 100%', 'Alpha']);
      expect(pending.pagination.total_count).to.equal(4);
    });

    for (const query of [
      '?page=0',
      '?page_size=0',
      '?page_size=101',
      '?page=one',
      '?status=odd',
      '?sort=created_at;DROP TABLE ota_deployments',
      '?search=a&search=b',
      '?search=%00',
    ]) {
      it(`F57 rejects ${query}`, async () => {
        await fleet.get(`/deployments${query}`).expect(400);
      });
    }
  });

  describe('the detail of a deployment', () => {
    it('counts targets by status, in total and per batch', async () => {
      fleet = await createFleet(ota, 8);
      const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 75 });
      const [a, b, c, d, e] = await fleet.batch(id, 1);
      await fleet.reports(a!, id, 'completed');
      await fleet.reports(b!, id, 'failed');
      await fleet.reports(c!, id, 'rolled_back');
      await fleet.reports(d!, id, 'downloading');
      await fleet.reports(e!, id, 'verifying');
      const detail = await fleet.detail(id);
      expect(detail.progress).to.deep.equal({
        total_devices: 8,
        completed: 1,
        failed: 1,
        in_progress: 2,
        pending: 3,
        skipped: 0,
        rolled_back: 1,
        percentage: 12.5,
      });
      expect(detail).to.include({
        completed_devices: 1,
        failed_devices: 1,
        rolled_back_devices: 1,
      });
      expect(detail.status_breakdown).to.deep.equal({
        pending: 3,
        downloading: 1,
        installing: 0,
        verifying: 1,
        completed: 1,
        failed: 1,
        skipped: 0,
        rolled_back: 1,
      });
      expect(detail.batches.map(({ number, size }) => [number, size])).to.deep.equal([
        [1, 6],
        [2, 2],
      ]);
      expect(detail.batches[0]?.status_breakdown.pending).to.equal(1);
      expect(detail.batches[1]?.status_breakdown.pending).to.equal(2);
      expect(detail.batches[0]?.released_at).to.be.a('string');
      expect(detail.batches[1]?.released_at).to.equal(null);
      expect(detail.devices).to.have.length(8);
    });

    it('rounds the percentage to one decimal', async () => {
      fleet = await createFleet(ota, 3);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'completed');
      expect((await fleet.detail(id)).progress.percentage).to.equal(33.3);
      const { deployments } = (await fleet.get('/deployments')).body as DeploymentList;
      expect(deployments[0]).to.include({ progress_percentage: 33.3, completed_devices: 1 });
    });
  });

  describe('the targets of a deployment', () => {
    let id: string;

    before(async () => {
      fleet = await createFleet(ota, 25, { namePrefix: 'sensor' });
      id = await fleet.rollOut({
        rollout_strategy: 'canary',
        rollout_percentage: 40,
        policy: { failure_threshold_percent: null },
      });
      const [first, second] = await fleet.batch(id, 1);
      await fleet.reports(first!, id, { status: 'failed', error_message: 'Checksum mismatch' });
      await fleet.reports(second!, id, 'completed');
    });

    async function page(query: string): Promise<TargetPage> {
      return (await fleet.get(`/deployments/${id}/devices?${query}`).expect(200))
        .body as TargetPage;
    }

    it('are paginated in the order of the plan, each exactly once', async () => {
      const seen: string[] = [];
      let pages = 0;
      for (let cursor: string | null = ''; cursor !== null; pages += 1) {
        const { devices, next_cursor: next }: TargetPage = await page(
          `limit=10${cursor && `&cursor=${cursor}`}`,
        );
        seen.push(...devices.map((target) => target.device_id));
        cursor = next;
      }
      expect(pages).to.equal(3);
      expect(new Set(seen).size).to.equal(25);
      expect(seen).to.have.length(25);
      const { devices } = await fleet.detail(id);
      expect(devices.map((target) => target.device_id)).to.deep.equal(seen);
    });

    it('can be filtered by status and batch', async () => {
      expect((await page('status=failed')).devices).to.have.length(1);
      expect((await page('batch=1')).devices).to.have.length(10);
      expect((await page('batch=2&limit=500')).devices).to.have.length(15);
      expect((await page('batch=1&status=pending')).devices).to.have.length(8);
      expect((await page('batch=3')).devices).to.have.length(0);
    });

    it('can be searched by name, id and error', async () => {
      const [failed] = (await page('status=failed')).devices;
      expect((await page(`search=${failed!.device_id}`)).devices).to.have.length(1);
      expect((await page('search=checksum%20MIS')).devices).to.have.length(1);
      expect((await page('search=SENSOR-0007')).devices[0]?.device_name).to.equal('sensor-0007');
      expect((await page(`search=${encodeURIComponent('%')}`)).devices).to.have.length(0);
    });

    it('have the values of each row', async () => {
      const [failed] = (await page('status=failed')).devices;
      expect(failed).to.include({
        device_type: 'raspberry_pi',
        current_version: 'v2.0.0',
        previous_version: 'v2.0.0',
        batch: 1,
        released: true,
        attempt: 1,
        status: 'failed',
        error_message: 'Checksum mismatch',
      });
      const [done] = (await page('status=completed')).devices;
      expect(done).to.include({ current_version: 'v2.1.0', previous_version: 'v2.0.0' });
      const [waiting] = (await page('batch=2')).devices;
      expect(waiting).to.include({ released: false, status: 'pending', started_at: null });
    });

    for (const query of ['status=odd', 'batch=0', 'cursor=x', 'limit=0', 'limit=501', 'order=1']) {
      it(`F57 rejects ${query}`, async () => {
        await fleet.get(`/deployments/${id}/devices?${query}`).expect(400);
      });
    }
  });

  describe('the timeline of a deployment', () => {
    it('shows who did what, newest first', async () => {
      fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.act(id, 'pause');
      await fleet.act(id, 'resume');
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'disk full' });
      await fleet.act(id, 'cancel');
      const events = await fleet.events(id);
      expect(events.map((event) => event.type).reverse()).to.deep.equal([
        'created',
        'started',
        'batch_released',
        'paused',
        'resumed',
        'device_failed',
        'cancelled',
      ]);
      const by = Object.fromEntries(events.map((event) => [event.type, event]));
      const admin = {
        type: 'admin',
        id: fleet.admin.id,
        name: 'Fleet admin',
        address: '127.0.0.1',
      };
      for (const type of ['created', 'started', 'paused', 'resumed', 'cancelled']) {
        expect(by[type]?.actor).to.deep.equal(admin);
      }
      expect(by['batch_released']?.actor.type).to.equal('system');
      expect(by['batch_released']?.data).to.include({ batch: 1, devices: 2 });
      expect(by['device_failed']?.actor).to.include({ type: 'device', id: fleet.device.id });
      expect(by['device_failed']?.device_id).to.equal(fleet.device.id);
      expect(by['device_failed']?.data).to.include({ error_message: 'disk full' });
      const times = events.map((event) => Date.parse(event.at));
      expect(times).to.deep.equal([...times].sort((a, b) => b - a));
    });

    it('is paginated, each event exactly once', async () => {
      fleet = await createFleet(ota, 60);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      await fleet.reportAll(fleet.devices, id, 'failed');
      const first = (await fleet.get(`/deployments/${id}/events`)).body as EventPage;
      expect(first.next_cursor).to.be.a('string');
      const rest = (await fleet.get(`/deployments/${id}/events?cursor=${first.next_cursor}`))
        .body as EventPage;
      const all = [...first.events, ...rest.events];
      expect(new Set(all.map((event) => event.id)).size).to.equal(all.length);
      expect(all.filter((event) => event.type === 'device_failed')).to.have.length(60);
      expect(all.at(-1)?.type).to.equal('created');
      expect(rest.next_cursor).to.equal(null);
      await fleet.get(`/deployments/${id}/events?cursor=nonsense`).expect(400);
    });

    it('does not contain rejected actions', async () => {
      fleet = await createFleet(ota, 1);
      const { deployment_id: id } = await fleet.create();
      await fleet.post(`/deployments/${id}/resume`).expect(409);
      expect(await fleet.eventTypes(id)).to.deep.equal(['created']);
    });
  });

  describe('metrics', () => {
    async function metrics(query = ''): Promise<OtaMetrics> {
      return (await fleet.get(`/metrics${query}`).expect(200)).body as OtaMetrics;
    }

    it('are null if there is nothing to divide by', async () => {
      fleet = await createFleet(ota, 0);
      expect(await metrics()).to.include({
        success_rate: null,
        rollback_rate: null,
        compliance: null,
        average_duration_seconds: null,
        total_deployments: 0,
      });
      await fleet.addDevices(1);
      await fleet.create();
      expect(await metrics()).to.include({ success_rate: null, total_targets: 1 });
    });

    it('follow the formulas of the contract', async () => {
      fleet = await createFleet(ota, 9);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      const others = fleet.devices;
      for (const [index, device] of others.slice(0, 4).entries()) {
        await fleet.reports(device, id, 'downloading');
        await ota.knex.raw(
          `UPDATE ota_deployment_devices SET started_at = now() - interval '10 seconds' * ?
           WHERE deployment_id = ? AND device_id = ?`,
          [index + 1, id, device.id],
        );
        await fleet.reports(device, id, 'completed');
      }
      await fleet.reportAll(others.slice(4, 5), id, 'failed');
      await fleet.reportAll(others.slice(5, 7), id, 'rolled_back');
      await fleet.reports(others[7]!, id, 'installing');
      // One completed device has changed its version since.
      await ota
        .knex('edge_devices')
        .where({ id: others[0]!.id })
        .update({ firmware_version: 'v1' });
      const figures = await metrics(`?deployment_id=${id}`);
      expect(figures).to.include({
        success_rate: 57.1, // 4 of 7
        rollback_rate: 28.6, // 2 of 7
        compliance: 33.3, // 3 of 9
        total_targets: 9,
        active_deployments: 1,
      });
      // (10 + 20 + 30 + 40) / 4, plus the time that the reports took
      expect(figures.average_duration_seconds).to.be.within(25, 28);
      expect(figures.versions).to.have.deep.members([
        { device_type: 'raspberry_pi', version: 'v2.0.0', count: 5 },
        { device_type: 'raspberry_pi', version: 'v2.1.0', count: 3 },
        { device_type: 'raspberry_pi', version: 'v1', count: 1 },
      ]);
      const sums = { completed: 0, failed: 0, rolled_back: 0 };
      for (const bucket of figures.ended_over_time) {
        for (const key of ['completed', 'failed', 'rolled_back'] as const) sums[key] += bucket[key];
      }
      expect(sums).to.deep.equal({ completed: 4, failed: 1, rolled_back: 2 });
    });

    it('cover the whole organization by default', async () => {
      fleet = await createFleet(ota, 2);
      const one = await fleet.rollOut({ device_ids: [fleet.device.id] });
      await fleet.reports(fleet.device, one, 'completed');
      const two = await fleet.rollOut({ device_ids: [fleet.devices[1]!.id] });
      await fleet.reports(fleet.devices[1]!, two, 'failed');
      expect(await metrics()).to.include({
        success_rate: 50,
        total_deployments: 2,
        active_deployments: 0,
        total_targets: 2,
      });
      expect(await metrics(`?deployment_id=${one}`)).to.include({ success_rate: 100 });
    });
  });

  describe('the list of devices', () => {
    before(async () => {
      fleet = await createFleet(ota, 3, { namePrefix: 'lab' });
      await fleet.addDevices(2, {
        namePrefix: 'roof_1',
        deviceType: 'nvidia_jetson',
        firmwareVersion: null,
        status: 'offline',
      });
    });

    async function page(query = ''): Promise<DevicePage> {
      return (await fleet.get(`/devices${query}`).expect(200)).body as DevicePage;
    }

    it('contains all devices of the organization and counts types and versions', async () => {
      const { devices, facets, next_cursor: next } = await page();
      expect(devices.map((device) => device.device_id)).to.have.members(
        fleet.devices.map((device) => device.id),
      );
      expect(facets).to.deep.equal({
        types: [
          { device_type: 'raspberry_pi', count: 3 },
          { device_type: 'nvidia_jetson', count: 2 },
        ],
        versions: [
          { version: 'v2.0.0', count: 3 },
          { version: null, count: 2 },
        ],
      });
      expect(next).to.equal(null);
      expect(devices.find((device) => device.device_id === fleet.device.id)).to.deep.include({
        device_name: 'lab-0001',
        device_type: 'raspberry_pi',
        hardware_id: fleet.device.hardwareId,
        status: 'online',
        current_version: 'v2.0.0',
      });
    });

    it('can be searched and filtered', async () => {
      const count = async (query: string) => (await page(query)).devices.length;
      expect(await count('?search=LAB')).to.equal(3);
      expect(await count('?search=_1-0002')).to.equal(1);
      expect(await count('?device_type=nvidia_jetson')).to.equal(2);
      expect(await count('?status=offline&device_type=raspberry_pi')).to.equal(0);
      expect(await count(`?search=${fleet.device.hardwareId}`)).to.equal(1);
    });

    it('is paginated, each device exactly once', async () => {
      const first = await page('?limit=3');
      const rest = await page(`?limit=3&cursor=${first.next_cursor}`);
      const ids = [...first.devices, ...rest.devices].map((device) => device.device_id);
      expect(new Set(ids).size).to.equal(5);
      expect(rest.next_cursor).to.equal(null);
    });

    for (const query of ['?limit=0', '?limit=501', '?cursor=7', '?status=odd', '?sort=id']) {
      it(`F57 rejects ${query}`, async () => {
        await fleet.get(`/devices${query}`).expect(400);
      });
    }
  });
});
