import { expect } from 'chai';
import fc from 'fast-check';

import type {
  CanaryCoverage,
  CreateDeploymentRequest,
  DeploymentPreview,
  DeviceFilters,
} from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import { manifestOf } from '../support/signing-fixtures.ts';
import {
  createFleet,
  deploymentRequest,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

interface DeviceFacts {
  type: string;
  version: string | null;
  status: string;
  metadata: Record<string, unknown> | null;
}

/** A device as the database knows it. */
type Device = DeviceFacts & { id: string };

describe('a canary represents the kinds of devices', function () {
  this.timeout(60_000);
  let ota: OtaServer;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());

  async function fleetOf(facts: DeviceFacts[]): Promise<{ fleet: Fleet; devices: Device[] }> {
    const fleet = await createFleet(ota, facts.length);
    const devices = facts.map((fact, index) => ({ ...fact, id: fleet.devices[index]?.id ?? '' }));
    await ota.knex.raw(
      `UPDATE edge_devices d
       SET device_type = f.type, firmware_version = f.version, status = f.status, metadata = f.metadata
       FROM jsonb_to_recordset(CAST(? AS jsonb)) AS f (id uuid, type text, version text, status text, metadata jsonb)
       WHERE d.id = f.id`,
      [JSON.stringify(devices)],
    );
    return { fleet, devices };
  }

  const canary = (request: Partial<CreateDeploymentRequest> = {}) =>
    deploymentRequest({ rollout_strategy: 'canary', ...request });

  async function preview(fleet: Fleet, request: CreateDeploymentRequest) {
    const answer = await fleet.post('/deployments/preview', request).expect(200);
    return answer.body as DeploymentPreview;
  }

  /** Devices in the order of the plan, as they are created. */
  async function created(fleet: Fleet, devices: Device[], request: CreateDeploymentRequest) {
    const { deployment_id: id } = await fleet.create(request);
    const byId = new Map(devices.map((device) => [device.id, device]));
    const rows = await ota
      .knex('ota_deployment_devices')
      .where({ deployment_id: id })
      .orderBy('position')
      .select<{ device_id: string; position: number }[]>('device_id', 'position');
    expect(rows.map(({ position }) => Number(position))).to.deep.equal(rows.map((_, n) => n));
    return { id, order: rows.map((row) => byId.get(row.device_id) as Device) };
  }

  const kindOf = (device: Device, keys: string[]) =>
    JSON.stringify([
      device.type,
      device.version,
      ...keys.map((key) => attributeOf(device.metadata?.[key])),
    ]);

  /** As PostgreSQL's `->>` writes it. */
  const attributeOf = (value: unknown) =>
    value === undefined || value === null ? null : String(value as string | number | boolean);

  function numbersByKind(devices: Device[], keys: string[]): Record<string, number> {
    const numbers: Record<string, number> = {};
    for (const device of devices) {
      const kind = kindOf(device, keys);
      numbers[kind] = (numbers[kind] ?? 0) + 1;
    }
    return numbers;
  }

  const promised = ({ by_kind }: CanaryCoverage) =>
    Object.fromEntries(
      by_kind
        .filter(({ first_batch }) => first_batch > 0)
        .map(({ device_type, version, attributes, first_batch }) => [
          JSON.stringify([device_type, version, ...Object.values(attributes)]),
          first_batch,
        ]),
    );

  const facts = fc.record<DeviceFacts>({
    type: fc.constantFrom('pi', 'pi', 'pi', 'pi', 'jetson', 'compute_module_4'),
    version: fc.constantFrom('v1.0.0', 'v1.0.0', 'v1.0.0', '2.1', 'nightly', null),
    status: fc.constantFrom('online', 'online', 'online', 'offline', 'maintenance'),
    metadata: fc.oneof(
      fc.constant(null),
      fc.record({ site: fc.constantFrom('berlin', 'paris', 'Ärö'), rev: fc.constantFrom(1, 'b2') }),
    ),
  });
  const filters = fc.constantFrom<DeviceFilters>(
    {},
    {},
    { device_type: 'pi' },
    { status: 'online' },
    { current_version: 'v2.0.0', version_operator: '<' },
    { current_version: 'v1.0.0', version_operator: '!=' },
  );

  it('and the creation keeps what the preview promised, for any fleet and filter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(facts, { minLength: 1, maxLength: 60, size: 'max' }),
        filters,
        fc.integer({ min: 1, max: 100 }),
        fc.subarray(['site', 'rev']),
        fc.boolean(),
        async (fleetFacts, device_filters, rollout_percentage, stratify_by, skip_up_to_date) => {
          const { fleet, devices } = await fleetOf(fleetFacts);
          const request = canary({
            target_version: 'v2.1.0',
            device_filters,
            rollout_percentage,
            stratify_by,
            skip_up_to_date,
          });
          const answer = await preview(fleet, request);
          if (answer.matching_devices === 0) {
            expect(answer.canary).to.equal(null);
            return;
          }
          const coverage = answer.canary as CanaryCoverage;
          const { order } = await created(fleet, devices, request);
          const all = numbersByKind(order, stratify_by);
          const first = numbersByKind(order.slice(0, answer.batches[0]?.size), stratify_by);
          expect(order).to.have.length(answer.matching_devices);
          expect(coverage.kinds).to.equal(Object.keys(all).length);
          expect(coverage.covered_kinds).to.equal(Object.keys(first).length);
          expect(promised(coverage)).to.deep.equal(first);
          for (const { device_type, version, attributes, count } of coverage.missing) {
            const kind = JSON.stringify([device_type, version, ...Object.values(attributes)]);
            expect([first[kind], all[kind]]).to.deep.equal([undefined, count]);
          }

          // Any later expansion is what a canary of that size would have been.
          const { canary: larger } = await preview(fleet, { ...request, rollout_percentage: 77 });
          const share = Math.max(1, Math.floor((order.length * 77) / 100));
          expect(promised(larger as CanaryCoverage)).to.deep.equal(
            numbersByKind(order.slice(0, share), stratify_by),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  const kind = (type: string, count: number, more: Partial<DeviceFacts> = {}): DeviceFacts[] =>
    Array.from({ length: count }, () => ({
      type,
      version: 'v1.0.0',
      status: 'online',
      metadata: null,
      ...more,
    }));

  it('has a device of each kind, and the others in proportion', async () => {
    const { fleet, devices } = await fleetOf([
      ...kind('pi', 60),
      ...kind('pi', 36, { version: 'v1.1.0' }),
      ...kind('jetson', 3),
      ...kind('cm4', 1),
    ]);
    const request = canary();
    expect((await preview(fleet, request)).canary).to.deep.include({
      kinds: 4,
      covered_kinds: 4,
      missing: [],
      percentage_for_all: 4,
    });
    const { order } = await created(fleet, devices, request);
    const types = numbersByKind(order.slice(0, 10), []);
    expect(types).to.deep.equal({
      '["pi","v1.0.0"]': 5,
      '["pi","v1.1.0"]': 3,
      '["jetson","v1.0.0"]': 1,
      '["cm4","v1.0.0"]': 1,
    });
  });

  it('names the kinds that are missing, and the percentage that would cover all', async () => {
    const { fleet } = await fleetOf([
      ...kind('pi', 34),
      ...kind('jetson', 4),
      ...kind('cm4', 2, { version: 'v1.2.0' }),
    ]);
    const { canary: coverage } = await preview(fleet, canary({ rollout_percentage: 5 }));
    expect(coverage).to.deep.include({ kinds: 3, covered_kinds: 2, percentage_for_all: 8 });
    expect(coverage?.missing).to.deep.equal([
      { device_type: 'cm4', version: 'v1.2.0', attributes: {}, count: 2 },
    ]);
    const { canary: enough } = await preview(fleet, canary({ rollout_percentage: 8 }));
    expect(enough).to.deep.include({ covered_kinds: 3, missing: [] });
  });

  it('selects online devices first, and one device of a kind that is offline', async () => {
    const { fleet, devices } = await fleetOf([
      ...kind('pi', 40, { status: 'offline' }),
      ...kind('pi', 5),
      ...kind('jetson', 55, { status: 'offline' }),
      ...kind('cm4', 9),
    ]);
    const { order } = await created(fleet, devices, canary());
    const first = order.slice(0, 10);
    expect(numbersByKind(first, [])).to.deep.equal({
      '["pi","v1.0.0"]': 5,
      '["cm4","v1.0.0"]': 4,
      '["jetson","v1.0.0"]': 1,
    });
    expect(first.filter(({ status }) => status !== 'online').map(({ type }) => type)).to.deep.equal(
      ['jetson'],
    );
  });

  it('distinguishes the values of the chosen attributes, and remembers which they were', async () => {
    const { fleet, devices } = await fleetOf([
      ...kind('pi', 17, { metadata: { site: 'berlin', serial: 1 } }),
      ...kind('pi', 2, { metadata: { site: 'paris' } }),
      ...kind('pi', 1),
    ]);
    const request = canary({ rollout_percentage: 15, stratify_by: ['site'] });
    const { canary: coverage } = await preview(fleet, request);
    expect(
      coverage?.by_kind.map(({ attributes, first_batch }) => [attributes, first_batch]),
    ).to.deep.equal([
      [{ site: 'berlin' }, 1],
      [{ site: 'paris' }, 1],
      [{ site: null }, 1],
    ]);
    const { id, order } = await created(fleet, devices, request);
    expect(Object.keys(numbersByKind(order.slice(0, 3), ['site']))).to.have.length(3);
    expect((await fleet.detail(id)).stratify_by).to.deep.equal(['site']);
  });

  it('distinguishes the 1,000 largest kinds; the devices of all others are one kind', async () => {
    const { fleet, devices } = await fleetOf([
      ...Array.from({ length: 1_000 }, (_, n) => kind('pi', 2, { version: `v1.0.${n}` })).flat(),
      ...Array.from({ length: 100 }, (_, n) => kind('pi', 1, { version: `v2.0.${n}` })).flat(),
    ]);
    const request = canary({ rollout_percentage: 48 });
    const { canary: coverage } = await preview(fleet, request);
    expect(coverage).to.deep.include({ kinds: 1_001, covered_kinds: 1_001, has_other_kinds: true });
    const { order } = await created(fleet, devices, request);
    const first = numbersByKind(order.slice(0, 1_008), []);
    const large = Object.keys(first).filter((one) => one.startsWith('["pi","v1.'));
    expect(large).to.have.length(1_000);
  });

  it('counts versions of the deployment’s product', async () => {
    const { fleet } = await fleetOf(kind('pi', 3));
    const [first, second] = fleet.devices;
    await fleet.poll(first!, undefined, { components: '{"app":"v7"}' });
    await fleet.poll(second!, undefined, { components: '{"other":"v1"}' });
    const manifest = JSON.stringify(manifestOf({ name: 'app' }));
    const answer = await preview(fleet, canary({ manifest, signature: 'unchecked' }));
    expect(answer.by_version).to.have.length(3);
    expect(answer.canary?.by_kind.map(({ version }) => version)).to.have.members([
      'v7',
      'v1.0.0',
      null,
    ]);
  });

  it('refuses attributes of other strategies, and more than three', async () => {
    const { fleet } = await fleetOf(kind('pi', 1));
    for (const [request, message] of [
      [{ rollout_strategy: 'rolling', stratify_by: ['site'] }, /only allowed for canary/],
      [
        { rollout_strategy: 'canary', stratify_by: ['a', 'b', 'c', 'd'] },
        /less than or equal to 3/,
      ],
      [{ rollout_strategy: 'canary', stratify_by: ['a', 'a'] }, /duplicate/],
      [{ rollout_strategy: 'canary', stratify_by: [' '] }, /empty/],
    ] as [Partial<CreateDeploymentRequest>, RegExp][]) {
      for (const path of ['/deployments', '/deployments/preview']) {
        const answer = await fleet.post(path, deploymentRequest(request));
        expect(answer.status).to.equal(400);
        expect(JSON.stringify((answer.body as Problem).errors)).to.match(message);
      }
    }
  });
});

describe('a host whose devices have no metadata', () => {
  let ota: OtaServer;

  before(async () => {
    ota = await startOta();
    await ota.knex.schema.alterTable('edge_devices', (table) => table.dropColumn('metadata'));
  });
  after(() => ota.close());

  it('has canaries, and refuses attributes', async () => {
    const fleet = await createFleet(ota, 2);
    const request = deploymentRequest({ rollout_strategy: 'canary' });
    const answer = await fleet.post('/deployments/preview', request).expect(200);
    expect((answer.body as DeploymentPreview).canary?.kinds).to.equal(1);
    await fleet.create(request);
    for (const path of ['/deployments', '/deployments/preview']) {
      const refused = await fleet.post(path, { ...request, stratify_by: ['site'] }).expect(400);
      expect((refused.body as Problem).errors?.[0]?.path).to.equal('stratify_by');
    }
  });
});
