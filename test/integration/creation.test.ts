import { expect } from 'chai';

import type { CreatedDeployment, DeploymentPreview } from '../../backend/contract/admin-api.ts';
import type { UpdateOffer } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import {
  CHECKSUM,
  creationRowCounts,
  deploymentRequest,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('creating a deployment', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 3);
  });

  after(() => ota.close());

  const rows = () => creationRowCounts(ota.knex);

  it('returns the created deployment with a 201', async () => {
    const answer = await fleet
      .post(
        '/deployments',
        deploymentRequest({ rollout_strategy: 'canary', rollout_percentage: 34 }),
      )
      .expect(201);
    const created = answer.body as CreatedDeployment;
    expect(created).to.include({
      deployment_name: 'Firmware Update v2.1.0',
      target_version: 'v2.1.0',
      target_devices: 3,
      rollout_strategy: 'canary',
      rollout_percentage: 34,
      status: 'pending',
      total_devices: 3,
      progress_percentage: 0,
      started_at: null,
      created_by: fleet.admin.id,
    });
    expect(Date.now() - Date.parse(created.created_at)).to.be.within(-5_000, 60_000);
    expect((await fleet.detail(created.deployment_id)).deployment_id).to.equal(
      created.deployment_id,
    );
  });

  it('accepts the example of the API reference', async () => {
    const answer = await fleet.post('/deployments', {
      deployment_name: 'Firmware Update v2.1.0',
      target_version: 'v2.1.0',
      rollout_strategy: 'canary',
      rollout_percentage: 20,
      device_filters: {
        device_type: 'raspberry_pi',
        current_version: 'v2.1.0',
        version_operator: '!=',
        status: 'online',
      },
      update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
      checksum: `sha256:${CHECKSUM}`,
      release_notes: 'Bug fixes and performance improvements',
    });
    expect(answer.status).to.equal(201);
  });

  it('stores everything that the detail then shows', async () => {
    const { deployment_id: id } = await fleet.create({
      device_filters: { status: 'online', current_version: 'v1', version_operator: '>' },
      policy: { device_timeout_minutes: 7 },
    });
    const detail = await fleet.detail(id);
    expect(detail.metadata).to.deep.equal({
      update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
      checksum: `sha256:${CHECKSUM}`,
      release_notes: 'Bug fixes and performance improvements',
      device_filters: { status: 'online', current_version: 'v1', version_operator: '>' },
    });
    expect(detail.policy).to.deep.equal({
      failure_threshold_percent: 25,
      failure_min_devices: 5,
      device_timeout_minutes: 7,
      pickup_timeout_hours: null,
    });
  });

  it('lists every error at once and creates nothing', async () => {
    const before = await rows();
    const answer = await fleet.post('/deployments', {
      target_version: ' ',
      rollout_strategy: 'sudden',
      device_filters: { status: 'asleep', colour: 'red' },
      update_package_url: 'http://cdn.example.com/x.tar.gz',
      checksum: 'sha256:abc123...',
      policy: { device_timeout_minutes: 0, mercy: true },
      scheduled_at: 'tomorrow',
      batch_size: 0,
      status: 'completed',
    });
    expect(answer.status).to.equal(400);
    const problem = answer.body as Problem;
    expect(problem.code).to.equal('invalid_request');
    expect(problem.errors?.map((fault) => fault.path)).to.include.members([
      'deployment_name',
      'target_version',
      'rollout_strategy',
      'device_filters.status',
      'device_filters.colour',
      'update_package_url',
      'checksum',
      'policy.device_timeout_minutes',
      'policy.mercy',
      'scheduled_at',
      'batch_size',
      'status',
    ]);
    for (const fault of problem.errors ?? [])
      expect(fault.message).to.be.a('string').and.not.equal('');
    expect(await rows()).to.deep.equal(before);
  });

  for (const [field, value] of Object.entries({
    deployment_id: '11111111-1111-4111-8111-111111111111',
    organization_id: '11111111-1111-4111-8111-111111111111',
    status: 'in_progress',
    created_by: 'somebody',
    total_devices: 1,
    released_devices: 1,
    metadata: {},
  })) {
    it(`F59 rejects ${field}, which callers may not set`, async () => {
      const before = await rows();
      const answer = await fleet.post('/deployments', { ...deploymentRequest(), [field]: value });
      expect([answer.status, (answer.body as Problem).errors?.[0]?.path]).to.deep.equal([
        400,
        field,
      ]);
      expect(await rows()).to.deep.equal(before);
    });
  }

  for (const [what, request] of Object.entries({
    'a percentage for an immediate deployment': { rollout_percentage: 50 },
    'a percentage of 0': { rollout_strategy: 'canary', rollout_percentage: 0 },
    'a percentage of 101': { rollout_strategy: 'canary', rollout_percentage: 101 },
    'a batch size for a canary': { rollout_strategy: 'canary', batch_size: 5 },
    'both a batch size and a percentage': {
      rollout_strategy: 'rolling',
      batch_size: 5,
      rollout_percentage: 10,
    },
    'a manifest without a signature': { manifest: '{}' },
    'a threshold of 101 %': { policy: { failure_threshold_percent: 101 } },
    'a version that is too long': { target_version: 'v'.repeat(51) },
    'a name that is too long': { deployment_name: 'n'.repeat(201) },
    'a start before the common era': { scheduled_at: '-004713-11-23T00:00:00.000Z' },
    'NUL in the name': { deployment_name: 'a\u0000b' },
    'an array for the name': { deployment_name: ['a'] },
    'a number for the notes': { release_notes: 5 },
  })) {
    it(`F57 rejects ${what}`, async () => {
      const before = await rows();
      const answer = await fleet.post('/deployments', { ...deploymentRequest(), ...request });
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        400,
        'invalid_request',
      ]);
      expect(await rows()).to.deep.equal(before);
    });
  }

  it('F71 stores script in names and notes as text', async () => {
    const script = '<script>alert(1)</script><img src=x onerror=alert(2)>';
    const { deployment_id: id } = await fleet.create({
      deployment_name: script,
      release_notes: script,
    });
    const detail = await fleet.detail(id);
    expect([detail.deployment_name, detail.metadata.release_notes]).to.deep.equal([script, script]);
  });

  describe('package rules', () => {
    for (const url of [
      'http://cdn.example.com/p.tar.gz',
      'http://127.0.0.1/p.tar.gz',
      'http://localhost:8080/p.tar.gz',
      'ftp://cdn.example.com/p.tar.gz',
      'file:///etc/passwd',
      'javascript:alert(1)',
      '//cdn.example.com/p.tar.gz',
      'cdn.example.com/p.tar.gz',
      'https://user:secret@cdn.example.com/p.tar.gz',
      'https://',
      '',
    ]) {
      it(`reject ${url || 'an empty URL'}`, async () => {
        const answer = await fleet.post(
          '/deployments',
          deploymentRequest({ update_package_url: url }),
        );
        expect(answer.status).to.equal(400);
        expect((answer.body as Problem).errors?.[0]?.path).to.equal('update_package_url');
      });
    }

    it('accept http on loopback if the host allows it, and nowhere else', async () => {
      const server = await startServer(ota.knex, {
        role: 'api',
        config: { allow_insecure_loopback_packages: true },
      });
      try {
        const there = fleet.through(server.host);
        for (const url of [
          'http://127.0.0.1:9000/p.tar.gz',
          'http://localhost/p.tar.gz',
          'http://[::1]:80/p.tar.gz',
        ]) {
          await there.create({ update_package_url: url });
        }
        for (const url of [
          'http://cdn.example.com/p.tar.gz',
          'http://127.0.0.1.example.com/p.tar.gz',
          'http://localhost.example.com/p.tar.gz',
          'http://10.0.0.1/p.tar.gz',
        ]) {
          await there
            .post('/deployments', deploymentRequest({ update_package_url: url }))
            .expect(400);
        }
      } finally {
        await server.close();
      }
    });

    for (const checksum of [CHECKSUM, `sha256:${CHECKSUM}`, CHECKSUM.toUpperCase()]) {
      it(`give the checksum ${checksum.slice(0, 12)}… to devices as written`, async () => {
        await fleet.rollOut({ checksum });
        const offer = (await fleet.poll(fleet.device)) as UpdateOffer;
        expect(offer.checksum).to.equal(checksum);
      });
    }

    for (const checksum of [
      undefined,
      '',
      'abc123',
      `md5:${CHECKSUM.slice(0, 32)}`,
      CHECKSUM.slice(1),
      `${CHECKSUM}0`,
      `sha256:${'g'.repeat(64)}`,
      `sha512:${CHECKSUM}`,
    ]) {
      it(`reject the checksum ${String(checksum).slice(0, 16)}`, async () => {
        const answer = await fleet.post('/deployments', { ...deploymentRequest(), checksum });
        expect(answer.status).to.equal(400);
        expect((answer.body as Problem).errors?.map(({ path }) => path)).to.deep.equal([
          'checksum',
        ]);
      });
    }
  });

  describe('a preview', () => {
    it('shows matching devices by type and version, and the batches', async () => {
      await fleet.addDevices(9, {
        deviceType: 'nvidia_jetson',
        firmwareVersion: 'v1.0.0',
        namePrefix: 'jetson',
      });
      const answer = await fleet
        .post('/deployments/preview', deploymentRequest({ rollout_strategy: 'rolling' }))
        .expect(200);
      expect(answer.body).to.deep.equal({
        matching_devices: 12,
        up_to_date: 0,
        by_type: [
          { device_type: 'nvidia_jetson', count: 9 },
          { device_type: 'raspberry_pi', count: 3 },
        ],
        by_version: [
          { version: 'v1.0.0', count: 9 },
          { version: 'v2.0.0', count: 3 },
        ],
        not_comparable: [],
        batches: [
          { number: 1, size: 5, release: 'start' },
          { number: 2, size: 5, release: 'automatic' },
          { number: 3, size: 2, release: 'automatic' },
        ],
        forecast: (answer.body as DeploymentPreview).forecast,
        canary: null,
      } satisfies DeploymentPreview);
    });

    it('creates nothing', async () => {
      const before = await rows();
      await fleet.post('/deployments/preview', deploymentRequest()).expect(200);
      expect(await rows()).to.deep.equal(before);
    });

    it('shows the same batches as the creation', async () => {
      const request = deploymentRequest({ rollout_strategy: 'canary', rollout_percentage: 50 });
      const answer = await fleet.post('/deployments/preview', request).expect(200);
      const { batches } = await fleet.detail((await fleet.create(request)).deployment_id);
      expect((answer.body as DeploymentPreview).batches.map(({ size }) => size)).to.deep.equal(
        batches.map(({ size }) => size),
      );
    });

    it('succeeds when no device matches', async () => {
      const answer = await fleet
        .post('/deployments/preview', deploymentRequest({ device_filters: { device_type: 'x' } }))
        .expect(200);
      expect(answer.body).to.deep.include({ matching_devices: 0, batches: [] });
    });

    it('needs no name, package or checksum yet', async () => {
      await fleet.post('/deployments/preview', { rollout_strategy: 'immediate' }).expect(200);
    });
  });
});
