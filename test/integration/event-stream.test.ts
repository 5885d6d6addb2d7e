import { expect } from 'chai';

import type { TargetView } from '../../backend/contract/admin-api.ts';
import { EventStreamReader } from '../support/event-stream.ts';
import {
  ADMIN_API,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('an event stream', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  const open: EventStreamReader[] = [];

  before(async () => {
    ota = await startOta();
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 3);
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((reader) => reader.close()));
  });

  after(() => ota.close());

  async function watch(path: string, lastEventId?: string, watcher = fleet) {
    const url = `${watcher.host.baseUrl}${ADMIN_API}${path}`;
    const reader = await EventStreamReader.open(url, watcher.admin, lastEventId);
    open.push(reader);
    return reader;
  }

  it('has headers that forbid caching and buffering', async () => {
    const { response } = await watch('/stream');
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.match(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).to.include('no-store');
    expect(response.headers.get('x-accel-buffering')).to.equal('no');
  });

  it('tells the browser when to reconnect', async () => {
    const id = await fleet.rollOut();
    const stream = await watch(`/deployments/${id}/stream`);
    await stream.next('deployment');
    expect(stream.retry).to.be.a('number');
  });

  describe('of a deployment', () => {
    it('begins with the current state', async () => {
      const id = await fleet.rollOut();
      const stream = await watch(`/deployments/${id}/stream`);
      const { data } = await stream.next('deployment');
      expect(data).to.include({ deployment_id: id, status: 'in_progress', total_devices: 3 });
      const progress = await stream.next('progress');
      expect(progress.data).to.include({ deployment_id: id, pending: 3, percentage: 0 });
    });

    it('shows devices and progress as devices report', async () => {
      const id = await fleet.rollOut();
      const stream = await watch(`/deployments/${id}/stream`);
      await stream.next('deployment');
      await fleet.reports(fleet.device, id, { status: 'downloading', progress: 40 });
      const { data } = await stream.next('device');
      const device = data['device'] as TargetView;
      expect(device).to.include({
        device_id: fleet.device.id,
        status: 'downloading',
        progress: 40,
      });
      await stream.next('progress', ({ in_progress: working }) => working === 1);
      await fleet.reportAll(fleet.devices, id, 'completed');
      await stream.next('deployment', ({ status }) => status === 'completed');
      await stream.next('progress', ({ percentage }) => percentage === 100);
    });

    it('shows what admins and jobs change', async () => {
      const { deployment_id: id } = await fleet.create();
      const stream = await watch(`/deployments/${id}/stream`);
      await stream.next('deployment', ({ status }) => status === 'pending');
      await fleet.act(id, 'start');
      await stream.next('deployment', ({ status }) => status === 'in_progress');
      await fleet.act(id, 'pause');
      await stream.next('deployment', ({ paused_reason: reason }) => reason === 'admin');
      await fleet.act(id, 'cancel');
      await stream.next('progress', ({ skipped }) => skipped === 3);
    });

    it('shows nothing of another deployment', async () => {
      const id = await fleet.rollOut();
      const other = await fleet.rollOut({ target_version: 'v3.0.0' });
      const stream = await watch(`/deployments/${id}/stream`);
      await stream.next('deployment');
      await fleet.reports(fleet.device, other, 'downloading');
      await fleet.reports(fleet.devices[1]!, id, 'downloading');
      await stream.next('device');
      const named = stream.messages.filter(({ event }) => event !== 'reset');
      const ids = new Set(named.map(({ data }) => data['deployment_id']));
      expect(ids).to.deep.equal(new Set([id]));
    });

    it('misses no change right after it opened', async () => {
      const fresh = await startServer(ota.knex, { role: 'api' });
      try {
        const there = fleet.through(fresh.host);
        const id = await fleet.rollOut();
        const stream = await watch(`/deployments/${id}/stream`, undefined, there);
        await stream.next('deployment');
        await fleet.act(id, 'pause');
        await stream.next('deployment', ({ status }) => status === 'paused');
      } finally {
        await fresh.close();
      }
    });
  });

  describe('of an organization', () => {
    it('shows its deployments but not its devices', async () => {
      const stream = await watch('/stream');
      const id = await fleet.rollOut();
      await stream.next('deployment', ({ deployment_id: shown }) => shown === id);
      await fleet.reports(fleet.device, id, 'downloading');
      await stream.next('progress', ({ in_progress: working }) => working === 1);
      expect(stream.messages.map(({ event }) => event)).not.to.include('device');
    });

    it('F53 shows nothing of another organization', async () => {
      const other = await createFleet(ota, 1);
      const theirs = await watch('/stream', undefined, other);
      const ours = await watch('/stream');
      const id = await fleet.rollOut();
      await ours.next('deployment', ({ status }) => status === 'in_progress');
      const foreign = await other.rollOut();
      await theirs.next('deployment', ({ status }) => status === 'in_progress');
      const seen = (reader: EventStreamReader) =>
        new Set(reader.messages.map(({ data }) => data['deployment_id']));
      expect(seen(theirs)).to.deep.equal(new Set([foreign]));
      expect(seen(ours)).to.deep.equal(new Set([id]));
    });
  });

  describe('after a reconnect', () => {
    it('continues after the last received event', async () => {
      const id = await fleet.rollOut();
      const first = await watch(`/deployments/${id}/stream`);
      await first.next('deployment');
      await fleet.reports(fleet.device, id, 'downloading');
      await first.next('device');
      const last = first.lastId;
      expect(last).not.to.equal('');
      await first.close();

      const witness = await watch('/stream');
      await fleet.reports(fleet.devices[1]!, id, 'downloading');
      await fleet.act(id, 'pause');
      await witness.next('deployment', ({ status }) => status === 'paused');

      const again = await watch(`/deployments/${id}/stream`, last);
      const { data } = await again.next('device');
      expect((data['device'] as TargetView).device_id).to.equal(fleet.devices[1]!.id);
      expect((await again.next('deployment')).data).to.include({ status: 'paused' });
      expect(again.messages.map(({ event }) => event)).not.to.include('reset');
    });

    for (const id of ['0000-1', 'deadbeef-99999999', 'nonsense', '-']) {
      it(`sends a reset if the last event id is ${id}`, async () => {
        const deployment = await fleet.rollOut();
        const one = await watch(`/deployments/${deployment}/stream`, id);
        await one.next('reset');
        const all = await watch('/stream', id);
        await all.next('reset');
      });
    }
  });

  it('shows changes made on another server', async () => {
    const second = await startServer(ota.knex, { role: 'api' });
    try {
      const id = await fleet.rollOut();
      const stream = await watch(`/deployments/${id}/stream`);
      await stream.next('deployment');
      await fleet.through(second.host).act(id, 'pause');
      await stream.next('deployment', ({ status }) => status === 'paused');
    } finally {
      await second.close();
    }
  });

  it('ends when the plugin is deactivated', async () => {
    const second = await startServer(ota.knex, { role: 'api' });
    const url = `${second.host.baseUrl}${ADMIN_API}/stream`;
    const stream = await EventStreamReader.open(url, fleet.admin);
    await second.plugin.deactivate();
    await stream.ended;
    await second.close();
  });
});
