import { expect } from 'chai';

import type { CreatedDeployment } from '../../../backend/contract/admin-api.ts';
import type { TargetStatus } from '../../../backend/contract/states.ts';
import { ADMIN_API } from '../../support/ota-server.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { VARIANTS, type EarlierDeployment } from '../../support/earlier-release/earlier-release.ts';
import {
  UpgradedInstallation,
  UNFINISHED,
  breakdownOf,
  devicesAt,
} from './upgraded-installation.ts';

for (const variant of VARIANTS) {
  describe(`adopted deployments of an earlier release (${variant})`, () => {
    let installation: UpgradedInstallation;
    let rollouts: UpgradedInstallation['rollouts'];

    before(async () => {
      installation = await UpgradedInstallation.open(variant);
      rollouts = installation.rollouts;
      await installation.activate('api');
      await installation.activate('worker');
    });

    after(() => installation.close());

    async function until(
      deployment: EarlierDeployment,
      status: string,
    ): Promise<Awaited<ReturnType<UpgradedInstallation['detail']>>> {
      return waitFor(
        async () => {
          const shown = await installation.detail(deployment);
          return shown.status === status ? shown : null;
        },
        { describe: `"${deployment.name}" is ${status}`, timeout: 15_000 },
      );
    }

    it('continue and finish with their earlier failures', async () => {
      await installation.completeAll(rollouts['in progress']);
      const { status, progress, completed_at } = await installation.detail(rollouts['in progress']);
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

    it('are not paused because of earlier failures', async () => {
      const deployment = rollouts['in progress with many failures'];
      const [working] = devicesAt(deployment, 'downloading');
      const [waiting] = devicesAt(deployment, 'pending');
      await installation.report(deployment, working as SeededDevice, 'completed');
      expect(await installation.detail(deployment)).to.include({ status: 'in_progress' });
      await installation.report(deployment, waiting as SeededDevice, 'downloading');
      await installation.report(deployment, waiting as SeededDevice, 'failed');
      expect(await installation.detail(deployment)).to.include({ status: 'failed' });
    });

    for (const name of [
      'a canary with only its first share',
      'a canary without a poll',
      'a rolling one with only its first batch',
    ] as const) {
      it(`continue: ${name}`, async () => {
        const deployment = rollouts[name];
        await installation.completeAll(deployment);
        const { status, progress, allowed_actions } = await installation.detail(deployment);
        expect({ status, allowed_actions }).to.deep.equal({
          status: 'completed',
          allowed_actions: [],
        });
        expect(progress).to.include({
          total_devices: deployment.targets.length,
          completed: deployment.targets.length - breakdownOf(deployment).skipped,
          pending: 0,
        });
      });
    }

    it('can be followed by a new deployment with the same filters', async () => {
      const { knex } = installation.database;
      const devices = await knex('edge_devices')
        .where({ organization_id: installation.host.organizationId })
        .select<{ id: string; firmware_version: string }[]>('id', 'firmware_version');
      const behind = devices.filter(({ firmware_version: version }) => version !== 'v2.1.0');
      expect(behind.length).to.be.above(0).and.below(devices.length);
      const answer = await installation.host
        .as(installation.host.admin)
        .post(`${ADMIN_API}/deployments`)
        .send({
          deployment_name: 'The rest',
          target_version: 'v2.1.0',
          rollout_strategy: 'rolling',
          device_filters: { current_version: 'v2.1.0', version_operator: '!=' },
          update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
          checksum: 'ab'.repeat(32),
        })
        .expect(201);
      expect(answer.body as CreatedDeployment).to.include({
        target_devices: behind.length,
        created_by: installation.host.admin.id,
      });
    });

    it('F69 finish if a device never reports again', async () => {
      const deployment = rollouts['in progress without failures'];
      const [installing, verifying] = devicesAt(deployment, 'installing', 'verifying');
      await installation.report(deployment, verifying as SeededDevice, 'completed');
      const [pending] = devicesAt(deployment, 'pending');
      await installation.report(deployment, pending as SeededDevice, 'completed');
      // The timeout starts at the adoption, because the last report is unknown.
      await installation.database.knex.raw(
        `UPDATE ota_deployment_devices SET last_report_at = last_report_at - interval '61 minutes'
         WHERE deployment_id = ? AND device_id = ?`,
        [deployment.id, installing?.id ?? ''],
      );
      const { devices } = await until(deployment, 'failed');
      const silent = devices.find(({ device_id: id }) => id === installing?.id);
      expect(silent?.error_message).to.include('no report for 60 minutes');
    });

    it('can be resumed', async () => {
      await installation.act(rollouts.paused, 'resume');
      await installation.completeAll(rollouts.paused);
      expect(await installation.detail(rollouts.paused)).to.include({ status: 'completed' });
    });

    it('can be resumed with earlier failures', async () => {
      const deployment = rollouts['paused after failures'];
      await installation.act(deployment, 'resume');
      await installation.completeAll(deployment);
      const { status, progress } = await installation.detail(deployment);
      expect(status).to.equal('failed');
      expect(progress).to.include({ completed: 3, failed: 1, rolled_back: 1 });
    });

    it('can be started', async () => {
      const deployment = rollouts['not started'];
      await installation.act(deployment, 'start');
      await waitFor(async () => (await installation.detail(deployment)).released_devices === 3, {
        describe: 'the batch is released',
        timeout: 15_000,
      });
      await installation.completeAll(deployment);
      expect(await installation.detail(deployment)).to.include({ status: 'completed' });
    });

    it('can be retried and rolled back', async () => {
      const [failed] = devicesAt(rollouts.failed, 'failed');
      const [completed] = devicesAt(rollouts.failed, 'completed');
      await installation.act(rollouts.failed, 'retry');
      expect(await installation.poll(failed as SeededDevice)).to.include({
        update_available: true,
        attempt: 2,
      });
      const { id } = rollouts.failed;
      await installation.host
        .as(installation.host.admin)
        .post(`${ADMIN_API}/deployments/${id}/devices/${completed?.id ?? ''}/rollback`)
        .send({ previous_version: 'v2.0.0' })
        .expect(202);
      expect(await installation.poll(completed as SeededDevice)).to.have.deep.property('rollback', {
        deployment_id: id,
        version: 'v2.0.0',
        attempt: 1,
      });
    });

    it('are finished by the worker if all their targets had finished before', async () => {
      await until(rollouts['all targets finished'], 'completed');
      await until(rollouts['in progress without targets'], 'completed');
    });

    it('have pending targets skipped by the worker if they were cancelled', async () => {
      const deployment = rollouts['cancelled while updating'];
      await waitFor(async () => (await installation.detail(deployment)).progress.skipped === 1, {
        describe: 'the pending target is skipped',
        timeout: 15_000,
      });
      const [working] = devicesAt(deployment, 'installing');
      await installation.report(deployment, working as SeededDevice, 'completed');
      expect(await installation.detail(deployment)).to.deep.include({ status: 'cancelled' });
      expect((await installation.detail(deployment)).progress).to.include({
        completed: 2,
        skipped: 1,
      });
    });
  });

  describe(`adopted deployments of an earlier release (${variant}) that are cancelled`, () => {
    let installation: UpgradedInstallation;

    before(async () => {
      installation = await UpgradedInstallation.open(variant);
      await installation.activate('api');
      await installation.activate('worker');
    });

    after(() => installation.close());

    it('skip pending targets, stop downloading devices, and let installing devices finish', async () => {
      const unfinished = Object.values(installation.rollouts).filter(
        ({ status, targets }) =>
          ['pending', 'in_progress', 'paused'].includes(status) &&
          targets.some((target) => UNFINISHED.includes(target.status)),
      );
      expect(unfinished).to.have.length.above(6);
      for (const deployment of unfinished) await cancelUnfinished(deployment);
    });

    async function cancelUnfinished(deployment: EarlierDeployment): Promise<void> {
      const before = breakdownOf(deployment);
      const cancelled = await installation.act(deployment, 'cancel');
      expect(cancelled.status, deployment.name).to.equal('cancelled');
      await waitFor(async () => (await installation.detail(deployment)).progress.pending === 0, {
        describe: `no target of "${deployment.name}" is pending`,
        timeout: 15_000,
      });
      for (const device of devicesAt(deployment, ...UNFINISHED)) {
        expect(await installation.poll(device)).to.include({ update_available: false });
      }
      const expected: Partial<Record<TargetStatus, number>> = { ...before, pending: 0 };
      expected.skipped = before.skipped + before.pending + before.downloading;
      expected.completed = before.completed + before.installing + before.verifying;
      for (const device of devicesAt(deployment, 'downloading')) {
        const answer = await installation.report(deployment, device, 'downloading');
        expect(answer).to.include({ directive: 'abort' });
        await installation.report(deployment, device, 'skipped');
      }
      for (const device of devicesAt(deployment, 'installing', 'verifying')) {
        await installation.report(deployment, device, 'completed');
      }
      const { status, status_breakdown } = await installation.detail(deployment);
      expect(status).to.equal('cancelled');
      expect(status_breakdown, deployment.name).to.deep.equal({
        ...expected,
        downloading: 0,
        installing: 0,
        verifying: 0,
      });
    }
  });
}
