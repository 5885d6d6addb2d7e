import { expect } from 'chai';

import type { ActivePlugin } from '../../backend/host-contract.ts';
import type {
  DeploymentDetail,
  DeploymentList,
  OtaMetrics,
  StatusBreakdown,
} from '../../backend/contract/admin-api.ts';
import type { CheckUpdateResponse } from '../../backend/contract/device-api.ts';
import { TARGET_STATUSES } from '../../backend/contract/states.ts';
import { activate } from '../../backend/plugin.ts';
import { createFakeHost, type FakeHost } from '../support/fake-host.ts';
import type { SeededDevice } from '../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  VARIANTS,
  createEarlierTables,
  insertEarlierRows,
  metadataOf,
  type EarlierDeployment,
  type EarlierRollouts,
} from './earlier-release.ts';

const ADMIN_API = '/api/v1/admin/ota';
const DEVICE_API = '/api/v1/ota';

for (const variant of VARIANTS) {
  describe(`deployments of an earlier release (${variant})`, () => {
    let database: TestDatabase;
    let host: FakeHost;
    let plugin: ActivePlugin;
    let earlier: EarlierRollouts;
    const timeZone = process.env.TZ;

    before(async () => {
      // Times without a zone are read in that of the process.
      process.env.TZ = 'UTC';
      database = await createTestDatabase({ schema: 'host' });
      host = await createFakeHost({ knex: database.knex, config: { reconcile_seconds: 3_600 } });
      await createEarlierTables(database.knex, variant);
      const { organizationId, admin } = host;
      earlier = await insertEarlierRows(database.knex, { organizationId, userId: admin.id });
      plugin = await activate(host.context);
    });

    after(async () => {
      await plugin.deactivate();
      await host.close();
      await database.drop();
      if (timeZone === undefined) delete process.env.TZ;
      else process.env.TZ = timeZone;
    });

    async function get<T>(path: string): Promise<T> {
      const answer = await host.as(host.admin).get(`${ADMIN_API}${path}`).expect(200);
      return answer.body as T;
    }

    function detail({ id }: EarlierDeployment): Promise<DeploymentDetail> {
      return get(`/deployments/${id}`);
    }

    async function act({ id }: EarlierDeployment, action: string): Promise<DeploymentDetail> {
      const answer = await host
        .as(host.admin)
        .post(`${ADMIN_API}/deployments/${id}/${action}`)
        .expect(200);
      return answer.body as DeploymentDetail;
    }

    async function poll(device: SeededDevice): Promise<CheckUpdateResponse> {
      const answer = await host
        .as(device)
        .get(`${DEVICE_API}/check-update?device_id=${device.id}`)
        .expect(200);
      return answer.body as CheckUpdateResponse;
    }

    function report({ id }: EarlierDeployment, device: SeededDevice, status: string) {
      return host
        .as(device)
        .post(`${DEVICE_API}/deployments/${id}/status?device_id=${device.id}`)
        .send({ status, error_message: null })
        .expect(200);
    }

    function devicesAt(deployment: EarlierDeployment, ...statuses: string[]): SeededDevice[] {
      return deployment.targets
        .filter(({ status }) => statuses.includes(status))
        .map(({ device }) => device);
    }

    async function completeAll(deployment: EarlierDeployment): Promise<void> {
      for (const device of devicesAt(
        deployment,
        'pending',
        'downloading',
        'installing',
        'verifying',
      )) {
        const offer = await poll(device);
        expect(offer).to.include({ update_available: true, deployment_id: deployment.id });
        await report(deployment, device, 'completed');
      }
    }

    function breakdownOf({ targets }: EarlierDeployment): StatusBreakdown {
      return Object.fromEntries(
        TARGET_STATUSES.map((status) => [
          status,
          targets.filter((target) => target.status === status).length,
        ]),
      ) as StatusBreakdown;
    }

    function percentage(deployment: EarlierDeployment): number {
      const { length } = deployment.targets;
      const { completed } = breakdownOf(deployment);
      return length === 0 ? 0 : Math.round((completed / length) * 1_000) / 10;
    }

    it('stand in the list with their figures', async () => {
      const { deployments, pagination } = await get<DeploymentList>('/deployments?page_size=100');
      expect(pagination.total_count).to.equal(Object.keys(earlier).length);
      for (const deployment of Object.values(earlier)) {
        const shown = deployments.find((one) => one.deployment_id === deployment.id);
        const { completed, failed } = breakdownOf(deployment);
        expect(shown, deployment.name).to.include({
          deployment_name: deployment.name,
          status: deployment.status,
          rollout_strategy: deployment.strategy,
          rollout_percentage: deployment.percentage,
          target_version: 'v2.1.0',
          total_devices: deployment.targets.length,
          completed_devices: completed,
          failed_devices: failed,
          progress_percentage: percentage(deployment),
          paused_reason: deployment.status === 'paused' ? 'admin' : null,
          created_by: host.admin.id,
        });
      }
    });

    it('show all of it in detail', async () => {
      for (const deployment of Object.values(earlier)) {
        const shown = await detail(deployment);
        expect(shown.status_breakdown, deployment.name).to.deep.equal(breakdownOf(deployment));
        expect(shown.progress).to.include({
          total_devices: deployment.targets.length,
          percentage: percentage(deployment),
        });
        const devices = shown.devices.map(({ device_id: id, status }) => [id, status]);
        expect(devices).to.have.deep.members(
          deployment.targets.map(({ device, status }) => [device.id, status]),
        );
        expect(shown.metadata).to.deep.equal(
          deployment.name === 'without targets and details'
            ? { update_package_url: '', checksum: '', release_notes: '', device_filters: {} }
            : metadataOf(deployment.name),
        );
      }
    });

    it('keep their times', async () => {
      const { created_at, started_at, completed_at, devices } = await detail(earlier.completed);
      expect({ created_at, started_at, completed_at }).to.deep.equal({
        created_at: '2026-01-10T08:00:00.000Z',
        started_at: '2026-01-10T09:00:00.000Z',
        completed_at: '2026-01-10T09:10:00.000Z',
      });
      for (const device of devices) {
        expect(device.started_at).to.equal('2026-01-10T09:00:00.000Z');
        expect(device.completed_at).to.equal('2026-01-10T09:10:00.000Z');
      }
    });

    it('count in the metrics', async () => {
      const metrics = await get<OtaMetrics>(`/metrics?deployment_id=${earlier.failed.id}`);
      expect(metrics).to.include({
        success_rate: 33.3,
        rollback_rate: 33.3,
        average_duration_seconds: 600,
        total_targets: 3,
      });
    });

    it('offer what has not ended, and nothing else', async () => {
      for (const deployment of Object.values(earlier)) {
        for (const { device, status } of deployment.targets) {
          const offered =
            deployment.status === 'in_progress' &&
            ['pending', 'downloading', 'installing', 'verifying'].includes(status);
          expect(await poll(device), `${deployment.name}: ${status}`).to.include({
            update_available: offered,
          });
        }
      }
    });

    it('go on to their end, with the failures they had', async () => {
      await completeAll(earlier['half-way']);
      const { status, progress, completed_at } = await detail(earlier['half-way']);
      expect({ status, progress }).to.deep.equal({
        status: 'failed',
        progress: {
          total_devices: 5,
          completed: 4,
          failed: 1,
          in_progress: 0,
          pending: 0,
          skipped: 0,
          rolled_back: 0,
          percentage: 80,
        },
      });
      expect(completed_at).to.be.a('string');
    });

    it('go on in a canary that only ever had its share', async () => {
      const canary = earlier['a canary that only ever had its share'];
      expect(await detail(canary)).to.include({ phase: 'rolling_out', released_devices: 2 });
      await completeAll(canary);
      expect(await detail(canary)).to.include({ status: 'completed', progress_percentage: 100 });
    });

    it('go on in a rolling one that never got its second batch', async () => {
      const rolling = earlier['a rolling one that never got its second batch'];
      await completeAll(rolling);
      expect(await detail(rolling)).to.deep.include({ status: 'completed' });
    });

    it('can be cancelled half-way', async () => {
      const deployment = earlier['half-way, too'];
      const cancelled = await act(deployment, 'cancel');
      expect(cancelled.status).to.equal('cancelled');
      expect(cancelled.status_breakdown).to.include({ pending: 0, skipped: 1, installing: 1 });
      for (const device of devicesAt(deployment, 'installing', 'verifying')) {
        await report(deployment, device, 'completed');
      }
      expect((await detail(deployment)).progress).to.include({ completed: 3, skipped: 1 });
    });

    it('can be resumed', async () => {
      await act(earlier.paused, 'resume');
      await completeAll(earlier.paused);
      expect(await detail(earlier.paused)).to.include({ status: 'completed' });
    });

    it('can be started', async () => {
      const deployment = earlier['waits for its start'];
      expect(await detail(deployment)).to.include({ phase: 'not_started', released_devices: 0 });
      await act(deployment, 'start');
      await waitFor(async () => (await detail(deployment)).released_devices === 3, {
        describe: 'the batch is released',
      });
      await completeAll(deployment);
      expect(await detail(deployment)).to.include({ status: 'completed' });
    });

    it('can be retried and rolled back', async () => {
      const [failed] = devicesAt(earlier.failed, 'failed');
      const [completed] = devicesAt(earlier.failed, 'completed');
      await act(earlier.failed, 'retry');
      expect(await poll(failed as SeededDevice)).to.include({ update_available: true, attempt: 2 });
      await host
        .as(host.admin)
        .post(
          `${ADMIN_API}/deployments/${earlier.failed.id}/devices/${completed?.id ?? ''}/rollback`,
        )
        .send({ previous_version: 'v2.0.0' })
        .expect(202);
      expect(await poll(completed as SeededDevice)).to.have.deep.property('rollback', {
        deployment_id: earlier.failed.id,
        version: 'v2.0.0',
        attempt: 1,
      });
    });

    it('make room for new ones', async () => {
      const answer = await host
        .as(host.admin)
        .post(`${ADMIN_API}/deployments`)
        .send({
          deployment_name: 'New',
          target_version: 'v3.0.0',
          rollout_strategy: 'canary',
          update_package_url: 'https://cdn.example.com/updates/v3.0.0.tar.gz',
          checksum: 'cd'.repeat(32),
        })
        .expect(201);
      expect(answer.body).to.include({ created_by: host.admin.id, status: 'pending' });
    });

    it('are finished by the reconcile job when nobody had noticed their end', async () => {
      const deployment = earlier['ended, but nobody noticed'];
      await waitFor(async () => (await detail(deployment)).status === 'completed', {
        describe: 'the deployment is completed',
      });
    });
  });
}
