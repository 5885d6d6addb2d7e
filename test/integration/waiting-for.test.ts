import { randomUUID } from 'node:crypto';

import { expect } from 'chai';

import type {
  DeviceExplanation,
  TargetPage,
  TargetView,
  WaitingFor,
} from '../../backend/contract/admin-api.ts';
import { WAITING_REASONS, type WaitingReason } from '../../backend/contract/states.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';
import type { SeededDevice } from '../support/seed.ts';

const HOUR_MS = 3_600_000;

/** What unfinished targets wait for, each reason produced by the API. */
describe('what a target waits for', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 6);
  });

  const explain = async (device: SeededDevice, id?: string): Promise<DeviceExplanation> => {
    const query = id === undefined ? '' : `?deployment_id=${id}`;
    const answer = await fleet.get(`/devices/${device.id}/explanation${query}`).expect(200);
    return answer.body as DeviceExplanation;
  };
  /** What the target waits for; the table of targets and the explanation of the device must agree. */
  const waitingFor = async (device: SeededDevice, id: string): Promise<WaitingFor | null> => {
    const target = await fleet.target(id, device);
    const explained = await explain(device, id);
    expect(explained).to.deep.include({
      deployment_id: id,
      target_status: target.status,
      waiting_for: target.waiting_for,
    });
    return target.waiting_for;
  };
  const expectReason = async (device: SeededDevice, id: string, reason: WaitingReason) => {
    const waiting = await waitingFor(device, id);
    expect(waiting?.reason).to.equal(reason);
    return waiting!;
  };
  const letBeSilent = (devices: SeededDevice[], minutes: number) =>
    ota
      .knex('edge_devices')
      .whereIn(
        'id',
        devices.map((device) => device.id),
      )
      .update({ last_seen: ota.knex.raw(`now() - interval '1 minute' * ?`, [minutes]) });
  const isRecent = (time: string | null) =>
    expect(Date.now() - Date.parse(time ?? '')).to.be.within(-5_000, 60_000);

  it('is the start', async () => {
    const created = await fleet.create();
    const waiting = await expectReason(
      fleet.device,
      created.deployment_id,
      'deployment_not_started',
    );
    expect(waiting).to.deep.include({ since: created.created_at, until: null });
  });

  it('is the scheduled time', async () => {
    const at = new Date(Date.now() + HOUR_MS).toISOString();
    const { deployment_id: id } = await fleet.create({ scheduled_at: at });
    expect(await expectReason(fleet.device, id, 'scheduled')).to.include({ until: at });
  });

  it('is the resume', async () => {
    const id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'downloading');
    await fleet.act(id, 'pause');
    const waiting = await expectReason(fleet.devices[1]!, id, 'paused');
    const paused = (await fleet.events(id)).find(({ type }) => type === 'paused');
    expect(waiting).to.deep.include({ since: paused?.at, until: null });
    await expectReason(fleet.device, id, 'paused');
    await fleet.act(id, 'resume');
    const offered = await expectReason(fleet.devices[1]!, id, 'offered');
    isRecent(offered.since);
  });

  it('is the resume after too many failures', async () => {
    const id = await fleet.rollOut();
    for (const device of fleet.devices.slice(0, 5)) await fleet.reports(device, id, 'failed');
    const waiting = await expectReason(fleet.devices[5]!, id, 'failure_threshold');
    isRecent(waiting.since);
    expect(await waitingFor(fleet.device, id)).to.equal(null);
  });

  it('is the batch', async () => {
    const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
    const [later] = await fleet.batch(id, 2);
    const waiting = await expectReason(later!, id, 'batch');
    expect(waiting.since).to.equal((await fleet.detail(id)).started_at);
    const first = await fleet.batch(id, 1);
    await fleet.reportAll(first, id, 'completed');
    await fleet.untilReleased(id, 4);
    const offered = await expectReason(later!, id, 'offered');
    expect(Date.parse(offered.until!) - Date.parse(offered.since!)).to.equal(24 * HOUR_MS);
  });

  it('is the expansion', async () => {
    const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 50 });
    const [rest] = await fleet.batch(id, 2);
    await expectReason(rest!, id, 'expansion');
    await fleet.act(id, 'expand');
    await fleet.untilReleased(id, 6);
    await expectReason(rest!, id, 'offered');
  });

  it('is another update, which the device gets first', async () => {
    const older = await fleet.rollOut();
    const newer = await fleet.rollOut({ target_version: 'v3.0.0', deployment_name: 'Newer' });
    const waiting = await expectReason(fleet.device, older, 'other_update');
    expect(waiting.other_deployment).to.deep.equal({
      deployment_id: newer,
      deployment_name: 'Newer',
      target_version: 'v3.0.0',
    });
    expect(await fleet.offered(fleet.device)).to.equal(newer);
    expect(await explain(fleet.device)).to.deep.include({ deployment_id: newer });
    const begun = fleet.devices[1]!;
    await fleet.reports(begun, older, 'downloading');
    expect((await expectReason(begun, newer, 'other_update')).other_deployment).to.include({
      deployment_id: older,
    });
    expect(await fleet.offered(begun)).to.equal(older);
    expect(await explain(begun)).to.deep.include({
      deployment_id: older,
      target_status: 'downloading',
    });
  });

  it('is a requested rollback', async () => {
    const older = await fleet.rollOut();
    await fleet.reports(fleet.device, older, 'completed');
    await fleet.post(`/deployments/${older}/devices/${fleet.device.id}/rollback`).expect(202);
    const newer = await fleet.rollOut({ target_version: 'v3.0.0' });
    const waiting = await expectReason(fleet.device, newer, 'other_update');
    expect(waiting.other_deployment).to.include({ deployment_id: older });
  });

  it('is a device that is silent', async () => {
    await letBeSilent([fleet.device], 20);
    const id = await fleet.rollOut({ policy: { pickup_timeout_hours: 48 } });
    const waiting = await expectReason(fleet.device, id, 'not_seen');
    expect(waiting.since).to.equal((await explain(fleet.device)).last_seen);
    expect(Date.parse(waiting.until!) - Date.now()).to.be.within(47 * HOUR_MS, 48 * HOUR_MS);
    await expectReason(fleet.devices[1]!, id, 'offered');
    await ota.knex('ota_device_polls').insert({
      device_id: fleet.device.id,
      organization_id: fleet.organizationId,
      polled_at: ota.knex.fn.now(),
    });
    await expectReason(fleet.device, id, 'offered');
  });

  it('is a device that is updating, or rebooting', async () => {
    const id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'downloading');
    const { last_report_at: reported } = await fleet.target(id, fleet.device);
    const offered = await expectReason(fleet.device, id, 'offered');
    expect(Date.parse(offered.until!) - Date.parse(reported!)).to.equal(HOUR_MS);
    await fleet.reports(fleet.device, id, { status: 'verifying', activity: 'rebooting' });
    await expectReason(fleet.device, id, 'rebooting');
    await fleet.reports(fleet.device, id, 'completed');
    expect(await waitingFor(fleet.device, id)).to.equal(null);
  });

  it('is the end of an update of a cancelled deployment', async () => {
    const id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'downloading', 'installing');
    await fleet.act(id, 'cancel');
    const waiting = await expectReason(fleet.device, id, 'deployment_ended');
    isRecent(waiting.since);
    expect(waiting.until).to.not.equal(null);
  });

  describe('in an explanation', () => {
    it('is nothing if the device has no unfinished target', async () => {
      const [other] = await fleet.addDevices(1);
      const id = await fleet.rollOut({ device_ids: [fleet.device.id] });
      expect(await explain(other!)).to.deep.include({
        device_id: other!.id,
        device_name: other!.name,
        deployment_id: null,
        deployment_name: null,
        target_version: null,
        target_status: null,
        waiting_for: null,
      });
      await fleet.get(`/devices/${other!.id}/explanation?deployment_id=${id}`).expect(404);
    });

    it('F53 is not found for devices and deployments of another organization', async () => {
      const id = await fleet.rollOut();
      const other = await createFleet(ota, 1);
      const otherId = await other.rollOut();
      for (const path of [
        `/devices/${other.device.id}/explanation`,
        `/devices/${randomUUID()}/explanation`,
        `/devices/${other.device.id}/explanation?deployment_id=${otherId}`,
        `/devices/${fleet.device.id}/explanation?deployment_id=${otherId}`,
        `/devices/${other.device.id}/explanation?deployment_id=${id}`,
      ]) {
        await fleet.get(path).expect(404);
      }
    });

    it('does not mention another organization of a moved device', async () => {
      const old = await fleet.rollOut();
      await fleet.reports(fleet.device, old, 'downloading');
      const other = await createFleet(ota, 1);
      await ota
        .knex('edge_devices')
        .where({ id: fleet.device.id })
        .update({ organization_id: other.organizationId, device_name: 'moved' });
      const id = await other.rollOut({ target_version: 'v3.0.0' });
      const target = await other.target(id, fleet.device);
      expect(target.waiting_for).to.include({ reason: 'offered', other_deployment: null });
    });
  });

  describe('as a filter', () => {
    const found = async (id: string, query: string): Promise<string[]> =>
      (await fleet.targets(id, query)).map((target) => target.device_id);
    const page = async (id: string, query: string): Promise<TargetPage> =>
      (await fleet.get(`/deployments/${id}/devices?${query}`).expect(200)).body as TargetPage;

    it('finds exactly the targets with the reason, whatever the deployment does', async () => {
      const ids = [
        (await fleet.create()).deployment_id,
        (await fleet.create({ scheduled_at: new Date(Date.now() + HOUR_MS).toISOString() }))
          .deployment_id,
        await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 }),
        await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 50 }),
        await fleet.rollOut(),
        await fleet.rollOut(),
        await fleet.rollOut(),
      ];
      const [, , , , older, cancelled, newest] = ids as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      await fleet.reports(fleet.devices[1]!, newest, {
        status: 'verifying',
        activity: 'rebooting',
      });
      await fleet.reports(fleet.devices[2]!, older, 'installing');
      await fleet.reports(fleet.devices[3]!, cancelled, 'installing');
      await fleet.act(cancelled, 'cancel');
      await letBeSilent([fleet.devices[4]!], 30);
      await fleet.reports(fleet.devices[5]!, newest, 'completed');
      const seen = new Set<string>();
      for (const id of ids) {
        const all = await fleet.targets(id);
        for (const reason of WAITING_REASONS) {
          const expected = all.filter(({ waiting_for: waiting }) => waiting?.reason === reason);
          expect(await found(id, `waiting_for=${reason}`), reason).to.deep.equal(
            expected.map((target) => target.device_id),
          );
          if (expected.length > 0) seen.add(reason);
        }
      }
      const others = WAITING_REASONS.filter((reason) => !seen.has(reason));
      expect(others).to.deep.equal(['paused', 'failure_threshold']);
      await fleet.act(newest, 'pause');
      expect(await found(newest, 'waiting_for=paused')).to.have.length(5);
      expect(await found(newest, 'waiting_for=offered')).to.deep.equal([]);
    });

    it('combines with the others', async () => {
      const id = await fleet.rollOut({ rollout_strategy: 'rolling', batch_size: 2 });
      const [one, two] = await fleet.batch(id, 1);
      await fleet.reports(one!, id, 'downloading');
      expect(await found(id, 'waiting_for=offered&status=pending')).to.deep.equal([two!.id]);
      expect(await found(id, 'waiting_for=offered&status=completed')).to.deep.equal([]);
      expect(await found(id, `waiting_for=offered&search=${one!.name}`)).to.deep.equal([one!.id]);
      expect(await found(id, 'waiting_for=offered&batch=2')).to.deep.equal([]);
      expect(await found(id, 'waiting_for=batch&batch=2')).to.have.length(2);
      await fleet.get(`/deployments/${id}/devices?waiting_for=nothing`).expect(400);
    });

    it('pages through all of them', async () => {
      const id = await fleet.rollOut();
      for (const reason of ['offered', 'not_seen']) {
        if (reason === 'not_seen') await letBeSilent(fleet.devices.slice(0, 5), 30);
        const all = await found(id, `waiting_for=${reason}`);
        expect(all).to.have.length(reason === 'offered' ? 6 : 5);
        const paged: TargetView[] = [];
        let cursor = '';
        do {
          const { devices, next_cursor: next } = await page(
            id,
            `waiting_for=${reason}&limit=2&cursor=${cursor}`,
          );
          paged.push(...devices);
          cursor = next ?? '';
        } while (cursor !== '');
        expect(paged.map((target) => target.device_id)).to.deep.equal(all);
      }
    });

    it('scans a limited number of targets for a page, which may then be short', async () => {
      const many = await createFleet(ota, 1_500);
      const id = await many.rollOut();
      const last = (await many.targets(id, 'cursor=1498'))[0]!;
      await ota.knex('edge_devices').where({ id: last.device_id }).update({ last_seen: null });
      const read = async (query: string) =>
        (await many.get(`/deployments/${id}/devices?waiting_for=not_seen&${query}`).expect(200))
          .body as TargetPage;
      const first = await read('limit=10');
      expect(first).to.deep.equal({ devices: [], next_cursor: '999' });
      const second = await read('limit=10&cursor=999');
      expect(second.devices.map((target) => target.device_id)).to.deep.equal([last.device_id]);
      expect(second.next_cursor).to.equal(null);
    });
  });
});
