import { expect } from 'chai';

import type { RolloutPolicy } from '../../backend/contract/admin-api.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('the failure threshold', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  async function roll(devices: number, policy?: Partial<RolloutPolicy>): Promise<string> {
    fleet = await createFleet(ota, devices);
    return fleet.rollOut(policy && { policy });
  }

  /** The next `count` pending devices report this status. */
  async function finish(
    id: string,
    count: number,
    status: 'completed' | 'failed' | 'rolled_back',
  ): Promise<void> {
    const pending = (await fleet.targets(id, 'status=pending')).slice(0, count);
    for (const target of pending) {
      await fleet.reports(fleet.deviceById(target.device_id), id, status);
    }
  }

  const current = async (id: string) => {
    const { status, paused_reason: reason } = await fleet.detail(id);
    return [status, reason];
  };

  it('is 25 % of at least 5 finished targets by default', async () => {
    const id = await roll(20);
    expect((await fleet.detail(id)).policy).to.deep.include({
      failure_threshold_percent: 25,
      failure_min_devices: 5,
    });
    await finish(id, 4, 'failed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    await finish(id, 1, 'completed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
    expect(await fleet.offered(fleet.device)).to.equal(null);
    const paused = (await fleet.events(id)).find((event) => event.type === 'paused');
    expect(paused?.actor.type).to.equal('system');
    expect(paused?.data).to.include({
      reason: 'failure_threshold',
      failures: 4,
      threshold_percent: 25,
    });
    expect(fleet.notices(id)).to.deep.equal([
      {
        name: 'ota.deployment.paused',
        payload: {
          deployment_id: id,
          organization_id: fleet.organizationId,
          deployment_name: 'Firmware Update v2.1.0',
          reason: 'failure_threshold',
        },
      },
    ]);
  });

  it('is not exceeded by exactly that share', async () => {
    const id = await roll(20);
    await finish(id, 6, 'completed');
    await finish(id, 2, 'failed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    await finish(id, 1, 'failed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('counts finished targets only', async () => {
    const id = await roll(100);
    await finish(id, 3, 'completed');
    await finish(id, 2, 'failed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('counts devices that rolled back by themselves as failures', async () => {
    const id = await roll(20);
    await finish(id, 3, 'completed');
    await finish(id, 2, 'rolled_back');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('does not count rollbacks that an admin requested', async () => {
    const id = await roll(20);
    await finish(id, 6, 'completed');
    const done = await fleet.targets(id, 'status=completed');
    for (const { device_id: deviceId } of done.slice(0, 4)) {
      await fleet.post(`/deployments/${id}/devices/${deviceId}/rollback`).expect(202);
      await fleet.reports(fleet.deviceById(deviceId), id, 'rolled_back');
    }
    expect((await fleet.detail(id)).progress.rolled_back).to.equal(4);
    expect(await current(id)).to.deep.equal(['in_progress', null]);
  });

  it('ignores skipped targets', async () => {
    const id = await roll(20, { failure_min_devices: 5 });
    const others = (await fleet.targets(id)).slice(10).map((target) => target.device_id);
    const newer = await fleet.rollOut({ target_version: 'v3.0.0', device_ids: others });
    await fleet.reportAll(
      others.map((device) => fleet.deviceById(device)),
      newer,
      'completed',
    );
    await finish(id, 2, 'failed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    await finish(id, 3, 'completed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('can be turned off with null', async () => {
    const id = await roll(20, { failure_threshold_percent: null });
    await finish(id, 12, 'failed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
  });

  it('set to 0 pauses on the first failure once enough targets have finished', async () => {
    const id = await roll(20, { failure_threshold_percent: 0, failure_min_devices: 1 });
    await finish(id, 2, 'completed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    await finish(id, 1, 'failed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('is not applied again after a resume until more targets fail', async () => {
    const id = await roll(20);
    await finish(id, 3, 'completed');
    await finish(id, 2, 'failed');
    await fleet.act(id, 'resume');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    const [next] = await fleet.targets(id, 'status=pending');
    expect(await fleet.offered(fleet.deviceById(next!.device_id))).to.equal(id);
    await finish(id, 1, 'completed');
    expect(await current(id)).to.deep.equal(['in_progress', null]);
    await finish(id, 1, 'failed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
  });

  it('blocks the next rolling batch until a resume', async () => {
    fleet = await createFleet(ota, 12);
    const id = await fleet.rollOut({ rollout_strategy: 'rolling' });
    await finish(id, 3, 'completed');
    await finish(id, 2, 'failed');
    expect(await current(id)).to.deep.equal(['paused', 'failure_threshold']);
    expect((await fleet.detail(id)).batches[1]?.state).to.equal('planned');
    await fleet.act(id, 'resume');
    await fleet.untilReleased(id, 10);
  });

  it('allows the next rolling batch if it is not exceeded', async () => {
    fleet = await createFleet(ota, 12);
    const id = await fleet.rollOut({ rollout_strategy: 'rolling' });
    await finish(id, 4, 'completed');
    await finish(id, 1, 'failed');
    await fleet.untilReleased(id, 10);
  });

  it('does not pause a deployment whose last target fails', async () => {
    const id = await roll(5);
    await finish(id, 5, 'failed');
    expect(await current(id)).to.deep.equal(['failed', null]);
  });
});
