import { expect } from 'chai';
import { seededRandom } from '../../../dev/fleet/random.ts';
import { VirtualFleet } from '../../../dev/fleet/virtual-fleet.ts';
import { HostProcess } from '../../../dev/host/host-process.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { addToSummary } from '../../support/root-hooks.ts';
import { createFleet, startOta, type OtaServer } from '../../support/ota-server.ts';
import { auditRollout, recordStatusChanges } from '../../support/rollout-audit.ts';

const DEVICES = 300;
const KILLS = 4;
const CONFIG = {
  queue_prefix: 'only_host',
  poll_interval_seconds: 1,
  reconcile_seconds: 1,
  device_requests_per_minute: 100_000,
};

describe('G09 a single host that is repeatedly killed while devices report', function () {
  this.timeout(180_000);
  let ota: OtaServer;
  let host: HostProcess;
  let devices: VirtualFleet | undefined;

  before(async () => {
    ota = await startOta({ config: { queue_prefix: 'elsewhere' } });
    host = await HostProcess.start({
      role: 'all',
      databaseUrl: ota.database.connectionString,
      redisUrl: '',
      pluginConfig: CONFIG,
    });
  });

  after(async () => {
    await devices?.stop();
    await host?.kill('SIGKILL');
    await ota?.close();
  });

  it('rejects no report for good and loses none', async () => {
    const fleet = await createFleet(ota, DEVICES);
    await recordStatusChanges(ota.knex);
    devices = new VirtualFleet(
      fleet.devices.map(({ id, token }) => ({ id, token, version: 'v2.0.0' })),
      {
        urls: [host.url],
        connections: 32,
        behaviour: {
          pollSeconds: 1,
          stepSeconds: 1,
          failureShare: 0.02,
          rollbackShare: 0.02,
          // Shorter than a start, so many requests arrive before the plugin is active.
          retrySeconds: 0.2,
        },
        offlineShare: 0,
        random: seededRandom(9),
      },
    );
    const id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
    devices.start();
    for (let kills = 1; kills <= KILLS; kills += 1) {
      await devices.untilAcknowledged((DEVICES * 4 * kills) / (KILLS + 2));
      await host.kill('SIGKILL');
      await host.start();
    }
    await waitFor(async () => (await fleet.detail(id)).status !== 'in_progress', {
      timeout: 90_000,
      describe: 'the deployment finishes',
    });
    const { devices: members, tally } = devices;
    // Devices may still have to repeat reports whose responses were lost.
    let audit = await auditRollout(ota.knex, id, members);
    await waitFor(
      async () => {
        audit = await auditRollout(ota.knex, id, members);
        return audit.lost === 0;
      },
      {
        timeout: 30_000,
        describe: () => `all acknowledged results are stored; ${JSON.stringify(audit)}`,
      },
    );
    addToSummary(
      `a single host killed ${KILLS} times under ${DEVICES} devices: ${tally.acknowledged} reports ` +
        `acknowledged, ${tally.unavailable} unanswered, ${tally.rejected} rejected for good, ${audit.lost} lost`,
    );
    expect(audit).to.deep.equal({
      targets: DEVICES,
      unfinished: 0,
      lost: 0,
      finishedTwice: 0,
      drifted: 0,
      releasedEarly: 0,
      releasedTwice: 0,
    });
    expect(tally.rejected).to.equal(0);
    expect(tally.unavailable, 'some requests met a host that was down').to.be.above(0);
  });
});
