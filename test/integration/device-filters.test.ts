import { randomUUID } from 'node:crypto';

import { expect } from 'chai';

import type {
  DeploymentPreview,
  DeviceFilters,
  DevicePage,
  OtaMetrics,
} from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { VersionOperator } from '../../backend/contract/states.ts';
import {
  creationRowCounts,
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

/** `null`: the version is unknown. */
const VERSIONS = ['v2.9.0', '2.9', 'v2.10.0-rc.1', 'v2.10.0', 'V2.10.1', 'nightly', null] as const;

const MATCHES: [VersionOperator, string, (string | null)[]][] = [
  ['<', 'v2.10.0', ['v2.9.0', '2.9', 'v2.10.0-rc.1']],
  ['<=', '2.10.0', ['v2.9.0', '2.9', 'v2.10.0-rc.1', 'v2.10.0']],
  ['>', 'v2.9.0', ['v2.10.0-rc.1', 'v2.10.0', 'V2.10.1']],
  ['>=', 'v2.10', ['v2.10.0', 'V2.10.1']],
  ['>', 'v2.10.0-rc.1', ['v2.10.0', 'V2.10.1']],
  ['<=', 'v2.10.0-rc.1', ['v2.9.0', '2.9', 'v2.10.0-rc.1']],
  ['=', '2.9.0', ['v2.9.0', '2.9']],
  ['=', 'nightly', ['nightly']],
  ['=', 'NIGHTLY', []],
  ['!=', 'v2.9.0', ['v2.10.0-rc.1', 'v2.10.0', 'V2.10.1', 'nightly', null]],
  ['!=', 'nightly', ['v2.9.0', '2.9', 'v2.10.0-rc.1', 'v2.10.0', 'V2.10.1', null]],
  ['<', 'nightly', []],
];

describe('device filters', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  async function preview(filters: DeviceFilters): Promise<DeploymentPreview> {
    const answer = await fleet
      .post('/deployments/preview', deploymentRequest({ device_filters: filters }))
      .expect(200);
    return answer.body as DeploymentPreview;
  }

  /** Versions of the devices that these filters select. Checks that the preview agrees. */
  async function versionsOf(filters: DeviceFilters): Promise<(string | null)[]> {
    const { matching_devices: previewed } = await preview(filters);
    const answer = await fleet.post('/deployments', deploymentRequest({ device_filters: filters }));
    if (answer.status === 422) {
      expect((answer.body as Problem).code).to.equal('no_matching_devices');
      expect(previewed).to.equal(0);
      return [];
    }
    const targets = await fleet.targets(answer.body.deployment_id as string);
    expect(targets).to.have.length(previewed);
    return targets.map((target) => target.previous_version);
  }

  describe('by version', () => {
    before(async () => {
      fleet = await createFleet(ota, VERSIONS.length, {
        firmwareVersion: (index) => VERSIONS[index] ?? null,
      });
    });

    for (const [operator, version, expected] of MATCHES) {
      it(`${operator} ${version} matches ${expected.map(String).join(', ') || 'nothing'}`, async () => {
        const found = await versionsOf({ current_version: version, version_operator: operator });
        expect(found).to.have.members(expected);
      });
    }

    it('without an operator matches every other version', async () => {
      const found = await versionsOf({ current_version: 'v2.10.0' });
      expect(found).to.have.members(VERSIONS.filter((version) => version !== 'v2.10.0'));
    });

    it('with an empty version match everything', async () => {
      expect(await versionsOf({ current_version: '' })).to.have.members([...VERSIONS]);
    });

    it('report in the preview which versions cannot be ordered', async () => {
      const { not_comparable: left } = await preview({
        current_version: 'v2.10.0',
        version_operator: '<',
      });
      expect(left).to.have.deep.members([
        { version: 'nightly', count: 1 },
        { version: null, count: 1 },
      ]);
      const all = await preview({ current_version: 'v2.10.0', version_operator: '!=' });
      expect(all.not_comparable).to.deep.equal([]);
    });
  });

  describe('by type, status and id', () => {
    let jetsons: string[];

    before(async () => {
      fleet = await createFleet(ota, 3, { status: 'online' });
      await fleet.addDevices(2, { status: 'offline', namePrefix: 'offline' });
      const added = await fleet.addDevices(2, {
        deviceType: 'nvidia_jetson',
        namePrefix: 'jetson',
      });
      jetsons = added.map((device) => device.id);
    });

    async function count(filters: DeviceFilters): Promise<number> {
      return (await versionsOf(filters)).length;
    }

    it('can be used one at a time', async () => {
      expect(await count({})).to.equal(7);
      expect(await count({ device_type: 'nvidia_jetson' })).to.equal(2);
      expect(await count({ device_type: 'Nvidia_Jetson' })).to.equal(0);
      expect(await count({ status: 'online' })).to.equal(5);
      expect(await count({ status: 'offline' })).to.equal(2);
      expect(await count({ status: '' })).to.equal(7);
      expect(await count({ device_ids: jetsons.slice(0, 1) })).to.equal(1);
    });

    it('must all match', async () => {
      expect(await count({ device_type: 'nvidia_jetson', status: 'offline' })).to.equal(0);
      expect(await count({ device_type: 'raspberry_pi', status: 'offline' })).to.equal(2);
      expect(await count({ device_ids: jetsons, device_type: 'raspberry_pi' })).to.equal(0);
      expect(await count({ status: 'online', current_version: 'v2.0.0' })).to.equal(0);
    });

    it('must match together with the ids in the body', async () => {
      const created = await fleet.create({
        device_ids: jetsons,
        device_filters: { device_ids: jetsons.slice(1) },
      });
      expect(created.target_devices).to.equal(1);
    });

    it('F53 never match devices of another organization, even by id', async () => {
      const other = await createFleet(ota, 1);
      const answer = await fleet.post(
        '/deployments',
        deploymentRequest({ device_ids: [other.device.id] }),
      );
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        422,
        'no_matching_devices',
      ]);
    });

    it('G13 never match devices that were announced but not registered', async () => {
      const announced = await createFleet(ota, 4);
      // The published Ops-Center always sets a hardware id. Other hosts leave it empty.
      await ota.knex.raw('ALTER TABLE edge_devices ALTER COLUMN device_id DROP NOT NULL');
      const forms = [
        { device_id: null, status: 'offline' },
        { device_id: `pending-${randomUUID()}`, status: 'offline' },
        { status: 'pending' },
      ];
      for (const [index, form] of forms.entries()) {
        await ota.knex('edge_devices').where({ id: announced.devices[index]?.id }).update(form);
      }
      const real = announced.devices[3];
      const preview = await announced.post('/deployments/preview', deploymentRequest());
      expect((preview.body as DeploymentPreview).matching_devices).to.equal(1);
      const { devices, facets } = (await announced.get('/devices')).body as DevicePage;
      expect(devices.map(({ device_id }) => device_id)).to.deep.equal([real?.id]);
      expect(facets.types.map((type) => type.count)).to.deep.equal([1]);
      const { versions } = (await announced.get('/metrics')).body as OtaMetrics;
      expect(versions.map((version) => version.count)).to.deep.equal([1]);
      const created = await announced.create();
      expect(created.target_devices).to.equal(1);
    });

    it('F58 treat SQL as text', async () => {
      const attack = `' OR 1=1; DROP TABLE ota_deployments; --`;
      expect(await count({ device_type: attack })).to.equal(0);
      expect(await count({ current_version: attack.slice(0, 50), version_operator: '=' })).to.equal(
        0,
      );
      expect(await count({ device_type: '%' })).to.equal(0);
      expect(await count({ device_type: ':device_ids ? $1' })).to.equal(0);
    });
  });

  it('give a 422 and create nothing if no device matches', async () => {
    fleet = await createFleet(ota, 1);
    const before = await creationRowCounts(ota.knex);
    const answer = await fleet.post(
      '/deployments',
      deploymentRequest({ device_filters: { device_type: 'none' } }),
    );
    expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
      422,
      'no_matching_devices',
    ]);
    expect(await creationRowCounts(ota.knex)).to.deep.equal(before);
  });

  for (const [fault, filters] of Object.entries({
    'an unknown key': { colour: 'red' },
    'an unknown operator': { current_version: 'v1', version_operator: '~' },
    'an unknown status': { status: 'asleep' },
    'malformed ids': { device_ids: ['7'] },
    'no ids at all': { device_ids: [] },
    'a type that is not a string': { device_type: ['raspberry_pi'] },
    'SQL as an operator': { current_version: 'v1', version_operator: "= '' OR true --" },
  })) {
    it(`F57 give a 400 that names ${fault}`, async () => {
      fleet = await createFleet(ota, 1);
      for (const path of ['/deployments', '/deployments/preview']) {
        const answer = await fleet.post(path, {
          ...deploymentRequest(),
          device_filters: filters,
        });
        expect(answer.status).to.equal(400);
        const { errors } = answer.body as Problem;
        const key = Object.keys(filters).at(-1);
        expect(errors?.[0]?.path).to.match(new RegExp(`^device_filters\\.${key}`));
      }
    });
  }
});
