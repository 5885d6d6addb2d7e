import { expect } from 'chai';
import type { DevicePage, OtaMetrics } from '../../backend/contract/admin-api.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('metrics', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  async function metrics(id?: string): Promise<OtaMetrics> {
    const query = id === undefined ? '' : `?deployment_id=${id}`;
    return (await fleet.get(`/metrics${query}`).expect(200)).body as OtaMetrics;
  }

  describe('G26 that are updated incrementally', () => {
    const ENDS = ['completed', 'failed', 'rolled_back'] as const;

    /** The stored counts, and the same counted over the targets. */
    async function storedAndCounted(id: string): Promise<[object, object]> {
      const overTime = (
        rows: { at: Date; completed: string; failed: string; rolled_back: string }[],
      ) => rows.map((row) => [row.at.toISOString(), ...ENDS.map((end) => Number(row[end]))]);
      const stored = await ota.knex.raw<{ rows: Parameters<typeof overTime>[0] }>(
        `SELECT * FROM ota_deployment_ends WHERE deployment_id = ?
           AND (completed <> 0 OR failed <> 0 OR rolled_back <> 0) ORDER BY at`,
        [id],
      );
      const counted = await ota.knex.raw<{ rows: Parameters<typeof overTime>[0] }>(
        `SELECT ota_end_span(d.started_at, t.completed_at) AS at,
           ${ENDS.map((end) => `count(*) FILTER (WHERE t.status = '${end}') AS ${end}`).join(', ')}
         FROM ota_deployment_devices t JOIN ota_deployments d ON d.id = t.deployment_id
         WHERE d.id = ? AND t.status IN ('completed', 'failed', 'rolled_back') GROUP BY 1 ORDER BY 1`,
        [id],
      );
      return [overTime(stored.rows), overTime(counted.rows)];
    }

    it('match a full count after failures, retries, rollbacks and a cancel', async () => {
      fleet = await createFleet(ota, 14);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      const { devices } = fleet;
      await fleet.reportAll(devices.slice(0, 5), id, 'completed');
      await fleet.reportAll(devices.slice(5, 9), id, 'failed');
      await fleet.reportAll(devices.slice(9, 11), id, 'rolled_back');
      const check = async (moment: string) => {
        const [stored, counted] = await storedAndCounted(id);
        expect(stored, moment).to.deep.equal(counted);
      };
      await check('after reports');
      await fleet
        .post(`/deployments/${id}/retry`)
        .send({ device_ids: [devices[5]!.id] })
        .expect(200);
      await check('after a retry of one');
      await fleet.reportAll([devices[5]!], id, 'completed');
      await fleet.post(`/deployments/${id}/retry`).send({}).expect(200);
      await check('after a retry of all');
      await fleet.reportAll([devices[6]!], id, 'failed');
      await fleet
        .post(`/deployments/${id}/devices/${devices[0]!.id}/rollback`)
        .send({})
        .expect(202);
      await fleet.poll(devices[0]!);
      await fleet.reports(devices[0]!, id, 'rolled_back');
      await check('after a requested rollback');
      await fleet.act(id, 'cancel');
      await check('after the cancel');
      const { ended_over_time: overTime } = await metrics(id);
      const sumOf = (end: (typeof ENDS)[number]) =>
        overTime.reduce((sum, bucket) => sum + bucket[end], 0);
      expect(ENDS.map(sumOf)).to.deep.equal([5, 1, 1]);
    });

    it('exclude a requested rollback from the rates and its time from the duration', async () => {
      fleet = await createFleet(ota, 4);
      const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
      const [one, two, three, four] = fleet.devices;
      await fleet.reportAll([one!, two!], id, 'completed');
      await fleet.reportAll([three!], id, 'failed');
      await fleet.reportAll([four!], id, 'rolled_back');
      const { average_duration_seconds: before } = await metrics(id);
      await fleet.post(`/deployments/${id}/devices/${one!.id}/rollback`).send({}).expect(202);
      await ota.knex.raw(
        `UPDATE ota_deployment_devices SET started_at = started_at - interval '1 hour'
         WHERE deployment_id = ? AND device_id = ?`,
        [id, one!.id],
      );
      await fleet.poll(one!);
      await fleet.reports(one!, id, 'rolled_back');
      expect(await metrics(id)).to.include({
        success_rate: 33.3, // 1 of 3: one completed, one failed, one rolled back by itself
        rollback_rate: 33.3,
        average_duration_seconds: before,
      });
    });
  });

  describe('G27 compliance of an organization', () => {
    it('compares each device with the newest version wanted for it', async () => {
      fleet = await createFleet(ota, 4);
      const [one, two, three, four] = fleet.devices;
      expect(await metrics()).to.include({ compliance: null });
      const first = await fleet.rollOut({
        target_version: '2.1',
        device_ids: [one!.id, two!.id, three!.id],
      });
      await fleet.reportAll([one!, two!, three!], first, 'completed');
      expect(await metrics()).to.include({ compliance: 100 });
      // It is not started, so its version is not wanted yet.
      const { deployment_id: second } = await fleet.create({
        target_version: 'v3.0.0',
        device_ids: [one!.id, two!.id],
      });
      expect(await metrics()).to.include({ compliance: 100 });
      await fleet.act(second, 'start');
      await fleet.untilReleased(second, 2);
      expect(await metrics()).to.include({ compliance: 33.3 });
      await fleet.reportAll([one!], second, 'completed');
      expect(await metrics()).to.include({ compliance: 66.7 });
      await fleet.act(second, 'cancel');
      // It is cancelled, so the version of the first deployment is wanted again.
      expect(await metrics()).to.include({ compliance: 66.7 });
      // Versions are compared by their numbers, not as text.
      await ota.knex('edge_devices').where({ id: one!.id }).update({ firmware_version: 'v2.1.0' });
      expect(await metrics()).to.include({ compliance: 100 });
      expect((await metrics(first)).compliance).to.equal(100);
      expect(four).to.be.an('object');
    });
  });

  describe('G26 of a fleet too large to be counted on every request', () => {
    const TOTAL = 6_001;

    it('come from the last count, with its time', async () => {
      fleet = await createFleet(ota, TOTAL);
      const read = async () => (await fleet.get('/devices?limit=1').expect(200)).body as DevicePage;
      const first = await read();
      expect(first.facets.types).to.deep.equal([{ device_type: 'raspberry_pi', count: TOTAL }]);
      expect(first.facets_as_of).to.be.a('string');
      const id = await fleet.rollOut();
      await fleet.reportAll(fleet.devices.slice(0, 1), id, 'completed');
      const { compliance, versions, as_of: asOf } = await metrics(id);
      expect(asOf).to.be.a('string');
      expect(compliance).to.equal(0);
      expect(versions.reduce((sum, { count }) => sum + count, 0)).to.equal(TOTAL);

      // Makes the last counts an hour old.
      await ota
        .knex('ota_censuses')
        .where({ organization_id: fleet.organizationId })
        .update({
          started_at: ota.knex.raw(`started_at - interval '1 hour'`),
          counted_at: ota.knex.raw(`counted_at - interval '1 hour'`),
        });
      const old = await read();
      expect(Date.parse(old.facets_as_of!)).to.be.below(Date.now() - 3_500_000);
      const counted = await waitFor(
        async () => {
          const { facets, facets_as_of: of } = await read();
          return Date.parse(of!) > Date.parse(first.facets_as_of!) ? facets : null;
        },
        { describe: 'the devices are counted again' },
      );
      expect(counted.versions).to.have.deep.members([
        { version: 'v2.0.0', count: TOTAL - 1 },
        { version: 'v2.1.0', count: 1 },
      ]);
    });

    it('are counted by another process if the one that started has died', async () => {
      fleet = await createFleet(ota, TOTAL);
      await ota.knex('ota_censuses').insert({
        organization_id: fleet.organizationId,
        started_at: ota.knex.raw(`now() - interval '119 seconds'`),
      });
      const counted = await waitFor(
        async () => {
          const page = (await fleet.get('/devices?limit=1').expect(200)).body as DevicePage;
          return page.facets_as_of === null ? null : page.facets;
        },
        { describe: 'another process counts', timeout: 20_000 },
      );
      expect(counted.types[0]!.count).to.equal(TOTAL);
    });
  });
});
