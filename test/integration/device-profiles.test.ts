import { expect } from 'chai';

import { waitFor } from '../../dev/wait-for.ts';
import { insertUser } from '../support/seed.ts';
import { Fleet, createFleet, startOta, type OtaServer } from '../support/ota-server.ts';

const COMPONENTS = '{"app":"v3.1.0","os":"v2.0.0"}';

/** What devices report about themselves with their polls. */
describe('the profile of a device', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 1);
    ({ deployment_id: id } = await fleet.create());
  });

  const shown = async () => {
    const { protection, components } = await fleet.target(id, fleet.device);
    return { protection, components };
  };
  const row = async () =>
    ota
      .knex('ota_devices')
      .where({ device_id: fleet.device.id })
      .first<{ updated_at: Date } | undefined>();

  it('is unknown until the device reports it', async () => {
    await fleet.poll(fleet.device, 'v2.0.0');
    expect(await shown()).to.deep.equal({ protection: null, components: null });
    expect(await row()).to.equal(undefined);
  });

  it('follows the polls; what a poll leaves out stays', async () => {
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'files' });
    expect(await shown()).to.deep.equal({ protection: 'files', components: null });
    await fleet.poll(fleet.device, 'v2.0.0', { components: COMPONENTS });
    const components = JSON.parse(COMPONENTS) as object;
    expect(await shown()).to.deep.equal({ protection: 'files', components });
    await fleet.poll(fleet.device, 'v2.0.0');
    expect(await shown()).to.deep.equal({ protection: 'files', components });
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'slots', components: '{}' });
    expect(await shown()).to.deep.equal({ protection: 'slots', components: {} });
  });

  it('is written only when it changes', async () => {
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'files', components: COMPONENTS });
    const first = await row();
    const reordered = '{ "os": "v2.0.0", "app": "v3.1.0" }';
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'files', components: reordered });
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'files' });
    expect(await row()).to.deep.equal(first);
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'none' });
    expect((await row())?.updated_at).to.be.above(first!.updated_at);
  });

  it('never makes a poll fail', async () => {
    for (const profile of [
      { protection: 'teleport', components: 'no json' },
      { components: `{"app":"${'v'.repeat(9_000)}"}` },
      { components: '{"a\\u0000":"v1"}' },
    ]) {
      await fleet.poll(fleet.device, 'v2.0.0', profile);
    }
    expect(await row()).to.equal(undefined);
    await ota.knex.raw(
      `ALTER TABLE ota_devices ADD CONSTRAINT nothing CHECK (protection <> 'none') NOT VALID`,
    );
    try {
      await fleet.poll(fleet.device, 'v2.0.0', { protection: 'none' });
    } finally {
      await ota.knex.raw('ALTER TABLE ota_devices DROP CONSTRAINT nothing');
    }
    await fleet.poll(fleet.device, 'v2.0.0', { protection: 'none' });
    expect(await shown()).to.include({ protection: 'none' });
  });

  describe('of a device that moves to another organization', () => {
    let other: Fleet;

    beforeEach(async () => {
      await fleet.poll(fleet.device, 'v2.0.0', { protection: 'none', components: COMPONENTS });
      const { organizationId } = await createFleet(ota, 0);
      await ota
        .knex('edge_devices')
        .where({ id: fleet.device.id })
        .update({ organization_id: organizationId });
      other = new Fleet(ota.knex, ota.host, await insertUser(ota.knex, { organizationId }));
    });

    const impactThere = async () => {
      const request = { device_ids: [fleet.device.id], rollout_strategy: 'manual' };
      const answer = await other.post('/deployments/impact', request).expect(200);
      return (answer.body as { protection: object }).protection;
    };

    it('is shown and counted in neither organization', async () => {
      expect(await shown()).to.deep.equal({ protection: null, components: null });
      expect(await impactThere()).to.include({ none: 0, unknown: 1 });
    });

    it('is what the device reports there, and nothing of it comes from before', async () => {
      await fleet.poll(fleet.device, 'v2.0.0', { protection: 'slots' });
      expect(await shown()).to.deep.equal({ protection: null, components: null });
      expect(await impactThere()).to.include({ slots: 1, unknown: 0 });
      const there = await other.create({ device_ids: [fleet.device.id] });
      const target = await other.target(there.deployment_id, fleet.device);
      expect(target).to.include({ protection: 'slots', components: null });
    });
  });

  it('is deleted after the device was removed', async () => {
    const [kept] = await fleet.addDevices(1);
    for (const device of [fleet.device, kept!]) {
      await fleet.poll(device, 'v2.0.0', { protection: 'files' });
    }
    await ota.knex('edge_devices').where({ id: fleet.device.id }).delete();
    await waitFor(async () => (await row()) === undefined, {
      timeout: 20_000,
      describe: 'the profile is deleted',
    });
    expect(await ota.knex('ota_devices').where({ device_id: kept!.id })).to.have.length(1);
  });
});
