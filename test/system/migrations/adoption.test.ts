import { expect } from 'chai';

import type { DeploymentList, OtaMetrics } from '../../../backend/contract/admin-api.ts';
import { migrateDown } from '../../../migrations/migrator.ts';
import { VARIANTS, metadataOf } from '../../support/earlier-release/earlier-release.ts';
import {
  UpgradedInstallation,
  UNFINISHED,
  breakdownOf,
  percentageOf,
} from './upgraded-installation.ts';

for (const variant of VARIANTS) {
  // Without a worker, so that nothing changes during the tests.
  describe(`adopted deployments of an earlier release (${variant}) in the API`, () => {
    let installation: UpgradedInstallation;

    before(async () => {
      installation = await UpgradedInstallation.open(variant);
      await installation.activate('api');
    });

    after(() => installation.close());

    it('are listed with their figures', async () => {
      const { deployments, pagination } = await installation.get<DeploymentList>(
        '/deployments?page_size=100',
      );
      expect(pagination.total_count).to.equal(Object.keys(installation.rollouts).length);
      for (const deployment of Object.values(installation.rollouts)) {
        const shown = deployments.find((one) => one.deployment_id === deployment.id);
        const { completed, failed, rolled_back } = breakdownOf(deployment);
        expect(shown, deployment.name).to.include({
          deployment_name: deployment.name,
          status: deployment.status,
          rollout_strategy: deployment.strategy,
          rollout_percentage: deployment.percentage,
          target_version: 'v2.1.0',
          total_devices: deployment.targets.length,
          completed_devices: completed,
          failed_devices: failed,
          rolled_back_devices: rolled_back,
          progress_percentage: percentageOf(deployment),
          paused_reason: deployment.status === 'paused' ? 'admin' : null,
          created_by: installation.host.admin.id,
        });
      }
    });

    it('can be filtered by status', async () => {
      const { deployments } = await installation.get<DeploymentList>(
        '/deployments?status=paused&page_size=100',
      );
      expect(deployments.map(({ deployment_name: name }) => name)).to.have.members([
        'paused',
        'paused after failures',
      ]);
    });

    it('are complete in the detail', async () => {
      for (const deployment of Object.values(installation.rollouts)) {
        const shown = await installation.detail(deployment);
        const expected = breakdownOf(deployment);
        expect(shown.status_breakdown, deployment.name).to.deep.equal(expected);
        expect(shown.progress, deployment.name).to.deep.equal({
          total_devices: deployment.targets.length,
          completed: expected.completed,
          failed: expected.failed,
          in_progress: expected.downloading + expected.installing + expected.verifying,
          pending: expected.pending,
          skipped: expected.skipped,
          rolled_back: expected.rolled_back,
          percentage: percentageOf(deployment),
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

    it('have one batch with all targets, released if they were started', async () => {
      for (const deployment of Object.values(installation.rollouts)) {
        const { batches, phase, released_devices } = await installation.detail(deployment);
        const size = deployment.targets.length;
        const started = deployment.status !== 'pending';
        expect(batches.map((batch) => batch.size)).to.deep.equal(size > 0 ? [size] : []);
        expect(released_devices, deployment.name).to.equal(started ? size : 0);
        expect(phase).to.equal(
          { pending: 'not_started', in_progress: 'rolling_out', paused: 'rolling_out' }[
            deployment.status as string
          ] ?? 'ended',
        );
      }
    });

    it('keep their times', async () => {
      const shown = await installation.detail(installation.rollouts.completed);
      const { created_at, started_at, completed_at, devices } = shown;
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

    it('are included in the metrics', async () => {
      const { id } = installation.rollouts.failed;
      expect(await installation.get<OtaMetrics>(`/metrics?deployment_id=${id}`)).to.include({
        success_rate: 33.3,
        rollback_rate: 33.3,
        average_duration_seconds: 600,
        total_targets: 3,
      });
    });

    it('offer unfinished targets only', async () => {
      for (const deployment of Object.values(installation.rollouts)) {
        for (const { device, status } of deployment.targets) {
          const offered = deployment.status === 'in_progress' && UNFINISHED.includes(status);
          expect(await installation.poll(device), `${deployment.name}: ${status}`).to.include({
            update_available: offered,
          });
        }
      }
    });

    it('are the same after the migrations were reverted and applied again', async () => {
      const shown = async (): Promise<unknown[]> => {
        const views = [];
        for (const deployment of Object.values(installation.rollouts)) {
          const { devices, forecast: _, ...rest } = await installation.detail(deployment);
          // Timeouts start again, and the forecast changes by itself.
          const unlessHeard = devices.map((device) => ({
            ...device,
            last_report_at: null,
            waiting_for: device.waiting_for?.reason,
          }));
          views.push({ ...rest, devices: unlessHeard });
        }
        return views;
      };
      const before = await shown();
      await installation.deactivate();
      await migrateDown(installation.database.knex);
      await installation.activate('api');
      expect(await shown()).to.deep.equal(before);
    });

    it('show targets whose device was removed', async () => {
      const { completed } = installation.rollouts;
      const device = completed.targets[0]?.device;
      await installation.database.knex('edge_devices').where({ id: device?.id }).delete();
      const { devices } = await installation.detail(completed);
      expect(devices.find(({ device_id: id }) => id === device?.id)).to.include({
        device_name: null,
        status: 'completed',
      });
    });
  });
}
