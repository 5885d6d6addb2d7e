import { expect } from 'chai';

import type { DeviceExplanation } from '../../backend/contract/admin-api.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { untilWaitingForLock } from '../support/blocked-sessions.ts';
import { DEVICE_ENTRIES, ENTRY_NAMES } from '../support/fake-host.ts';
import {
  Fleet,
  createFleet,
  startOta,
  startServer,
  type OtaServer,
} from '../support/ota-server.ts';
import { insertUser, type SeededDevice } from '../support/seed.ts';

/** When devices last polled. Tests let time pass by setting stored times back. */
describe('the last poll of a device', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 2);
  });

  const stored = async (device: SeededDevice): Promise<Date | null> => {
    const row = await ota
      .knex('ota_device_polls')
      .where({ device_id: device.id })
      .first<{ polled_at: Date } | undefined>('polled_at');
    return row?.polled_at ?? null;
  };
  const untilStored = (device: SeededDevice) =>
    waitFor(() => stored(device), { describe: 'the poll is recorded' });
  const letPass = (device: SeededDevice, minutes: number) =>
    ota.knex.raw(
      `UPDATE ota_device_polls SET polled_at = polled_at - interval '1 minute' * ? WHERE device_id = ?`,
      [minutes, device.id],
    );
  const explanation = async (of: Fleet, device: SeededDevice) =>
    (await of.get(`/devices/${device.id}/explanation`).expect(200)).body as DeviceExplanation;

  /** Polls with another device, too, and waits until that poll has been recorded: then the first one has been handled. */
  async function pollAndSettle(device: SeededDevice): Promise<void> {
    await fleet.poll(device);
    const [witness] = await fleet.addDevices(1, { namePrefix: 'witness' });
    await fleet.poll(witness!);
    await untilStored(witness!);
  }

  for (const entry of DEVICE_ENTRIES) {
    it(`is recorded and shown ${ENTRY_NAMES[entry]}`, async () => {
      const server = await startServer(ota.knex, { role: 'api', entry });
      try {
        const { device } = fleet;
        expect(await explanation(fleet, device)).to.include({ last_polled_at: null });
        await fleet.through(server.host).poll(device);
        const at = await untilStored(device);
        expect(Date.now() - at.getTime()).to.be.within(-1_000, 10_000);
        expect(await explanation(fleet, device)).to.include({ last_polled_at: at.toISOString() });
        expect(await explanation(fleet, fleet.devices[1]!)).to.include({ last_polled_at: null });
      } finally {
        await server.close();
      }
    });
  }

  it('is written once in five minutes', async () => {
    await fleet.poll(fleet.device);
    await untilStored(fleet.device);
    await letPass(fleet.device, 4);
    const before = await stored(fleet.device);
    await pollAndSettle(fleet.device);
    expect(await stored(fleet.device)).to.deep.equal(before);
    await letPass(fleet.device, 2);
    await pollAndSettle(fleet.device);
    expect((await stored(fleet.device))?.getTime()).to.be.above(before!.getTime());
  });

  it('is written once by two servers', async () => {
    const other = await startServer(ota.knex, { role: 'api' });
    await Promise.all([fleet.poll(fleet.device), fleet.through(other.host).poll(fleet.device)]);
    const first = await untilStored(fleet.device);
    // Writes what it has.
    await other.close();
    await pollAndSettle(fleet.device);
    expect(await stored(fleet.device)).to.deep.equal(first);
  });

  it('is written when the server stops', async () => {
    const server = await startServer(ota.knex, { role: 'api' });
    await fleet.through(server.host).poll(fleet.device);
    await server.close();
    expect(await stored(fleet.device)).to.not.equal(null);
  });

  it('never makes a poll fail, and is recorded later', async () => {
    const id = await fleet.rollOut();
    const lock = await ota.knex.transaction();
    try {
      await lock.raw('LOCK TABLE ota_device_polls');
      expect(await fleet.offered(fleet.device)).to.equal(id);
      await untilWaitingForLock(ota.knex, { query: '%ota_device_polls%' });
      expect(await fleet.offered(fleet.devices[1]!)).to.equal(id);
    } finally {
      await lock.rollback();
    }
    await untilStored(fleet.devices[1]!);
    await untilStored(fleet.device);
  });

  it('of a moved device is shown to neither organization until it polls, and at once then', async () => {
    await fleet.poll(fleet.device);
    await untilStored(fleet.device);
    const { organizationId } = await createFleet(ota, 0);
    await ota
      .knex('edge_devices')
      .where({ id: fleet.device.id })
      .update({ organization_id: organizationId, device_name: `moved-${fleet.device.id}` });
    const other = new Fleet(ota.knex, ota.host, await insertUser(ota.knex, { organizationId }));
    await fleet.get(`/devices/${fleet.device.id}/explanation`).expect(404);
    expect(await explanation(other, fleet.device)).to.include({ last_polled_at: null });
    await pollAndSettle(fleet.device);
    expect((await explanation(other, fleet.device)).last_polled_at).to.be.a('string');
  });

  it('is deleted after the device was removed', async () => {
    for (const device of fleet.devices) {
      await fleet.poll(device);
      await untilStored(device);
    }
    const [removed, kept] = fleet.devices;
    await ota.knex('edge_devices').where({ id: removed!.id }).delete();
    await waitFor(async () => (await stored(removed!)) === null, {
      timeout: 20_000,
      describe: 'the row is deleted',
    });
    expect(await stored(kept!)).to.not.equal(null);
  });
});
