import { expect } from 'chai';

import type { DevicePage, TargetPage } from '../../backend/contract/admin-api.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('a fleet of more than 20,000 devices', () => {
  const TOTAL = 20_001;
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, TOTAL);
  });

  after(() => ota.close());

  it('is offered the update within two seconds after the start', async () => {
    const created = await fleet.create();
    expect(created.target_devices).to.equal(TOTAL);
    id = created.deployment_id;
    await fleet.act(id, 'start');
    await fleet.untilReleased(id, TOTAL, { timeout: 2_000 });
    expect(await fleet.offered(fleet.device)).to.equal(id);
    expect(await fleet.offered(fleet.devices.at(-1)!)).to.equal(id);
  });

  it('has its first hundred targets in the detail', async () => {
    expect((await fleet.detail(id)).devices).to.have.length(100);
  });

  it('G26 can be searched by name prefix and by full id', async () => {
    const found = async (text: string) => {
      const query = `/devices?limit=500&search=${encodeURIComponent(text)}`;
      return ((await fleet.get(query).expect(200)).body as DevicePage).devices.map(
        ({ device_name: name }) => name,
      );
    };
    expect(await found('device-1234')).to.have.members(
      ['', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((last) => `device-1234${last}`),
    );
    expect(await found('evice-1234')).to.deep.equal([]);
    const device = fleet.devices[4_711]!;
    expect(await found(device.id)).to.deep.equal([device.name]);
    expect(await found(device.hardwareId)).to.deep.equal([device.name]);
    expect(await found('device-')).to.have.length(500);
  });

  describe('as targets', () => {
    const search = async (text: string, more = '') => {
      const query = `search=${encodeURIComponent(text)}&limit=500${more}`;
      const answer = await fleet.get(`/deployments/${id}/devices?${query}`).expect(200);
      return answer.body as TargetPage;
    };
    const found = async (text: string, more?: string) =>
      (await search(text, more)).devices.map(({ device_name: name }) => name);

    it('can be searched by name prefix, case-sensitively', async () => {
      expect(await found('device-1234')).to.have.members(
        ['', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((last) => `device-1234${last}`),
      );
      expect(await found('DEVICE-1234')).to.deep.equal([]);
      expect(await found('evice-1234')).to.deep.equal([]);
      expect(await found('device_1234')).to.deep.equal([]);
    });

    it('can be searched by full id', async () => {
      const device = fleet.devices[4_711]!;
      expect(await found(device.id)).to.deep.equal([device.name]);
      expect(await found(device.id.toUpperCase())).to.deep.equal([device.name]);
      expect(await found(device.hardwareId)).to.deep.equal([device.name]);
    });

    it('can be searched page by page', async () => {
      const seen: string[] = [];
      let page = await search('device-1');
      for (;;) {
        seen.push(...page.devices.map(({ device_id }) => device_id));
        if (page.next_cursor === null) break;
        page = await search('device-1', `&cursor=${encodeURIComponent(page.next_cursor)}`);
      }
      const expected = fleet.devices.filter(({ name }) => name.startsWith('device-1'));
      expect(seen).to.have.length(expected.length);
      expect(new Set(seen)).to.deep.equal(new Set(expected.map((device) => device.id)));
    });

    it('can be searched by error message and status', async () => {
      const device = fleet.devices[815]!;
      await fleet.reports(device, id, { status: 'failed', error_message: 'Disk FULL on /data' });
      expect(await found('disk full')).to.deep.equal([device.name]);
      expect(await found('disk full', '&status=failed')).to.deep.equal([device.name]);
      expect(await found('disk full', '&status=pending')).to.deep.equal([]);
      expect(await found('100%')).to.deep.equal([]);
    });

    it('cannot be searched for devices of other organizations', async () => {
      const other = await createFleet(ota, 1, { namePrefix: 'foreign' });
      expect(await found('foreign')).to.deep.equal([]);
      expect(await found(other.device.id)).to.deep.equal([]);
    });
  });

  describe('F68 when it is cancelled', () => {
    it('is offered nothing any more and is soon skipped', async () => {
      await fleet.act(id, 'cancel');
      expect(await fleet.offered(fleet.device)).to.equal(null);
      expect(await fleet.offered(fleet.devices.at(-1)!)).to.equal(null);
      const { progress, status } = await fleet.until(id, (now) => now.progress.pending === 0);
      expect([progress.skipped, status]).to.deep.equal([TOTAL - 1, 'cancelled']);
    });
  });
});
