import { expect } from 'chai';
import { seededRandom } from '../../../dev/fleet/random.ts';
import { VirtualFleet } from '../../../dev/fleet/virtual-fleet.ts';
import { HostProcess } from '../../../dev/host/host-process.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { tellAtTheEnd } from '../../support/root-setup.ts';
import { openFleet, openStage, type Stage } from '../../support/ota-scenario.ts';
import { judge, keepLedger } from '../../support/ledger.ts';

const DEVICES = 300;
const KILLS = 4;
const CONFIG = {
  queue_prefix: 'only_host',
  poll_interval_seconds: 1,
  reconcile_seconds: 1,
  device_requests_per_minute: 100_000,
};

describe('G09 the only host, killed and started again and again while devices report', function () {
  this.timeout(180_000);
  let stage: Stage;
  let host: HostProcess;
  let devices: VirtualFleet | undefined;

  before(async () => {
    stage = await openStage({ config: { queue_prefix: 'elsewhere' } });
    host = await HostProcess.start({
      role: 'all',
      databaseUrl: stage.database.connectionString,
      redisUrl: '',
      pluginConfig: CONFIG,
    });
  });

  after(async () => {
    await devices?.stop();
    await host?.kill('SIGKILL');
    await stage?.close();
  });

  it('refuses no report for good, and loses none', async () => {
    const fleet = await openFleet(stage, DEVICES);
    await keepLedger(stage.knex);
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
          // Shorter than a start takes: many requests come while the plugin is not there yet.
          retrySeconds: 0.2,
        },
        offlineShare: 0,
        random: seededRandom(9),
      },
    );
    const id = await fleet.roll({ policy: { failure_threshold_percent: null } });
    devices.start();
    for (let kills = 1; kills <= KILLS; kills += 1) {
      await devices.untilAcknowledged((DEVICES * 4 * kills) / (KILLS + 2));
      await host.kill('SIGKILL');
      await host.start();
    }
    await waitFor(async () => (await fleet.detail(id)).status !== 'in_progress', {
      timeout: 90_000,
      describe: 'the rollout ends',
    });
    const { devices: members, tally } = devices;
    let verdict = await judge(stage.knex, id, members);
    // The last answers may still be on their way, or have to be asked for once more.
    await waitFor(
      async () => {
        verdict = await judge(stage.knex, id, members);
        return verdict.lost === 0;
      },
      { timeout: 30_000, describe: () => `all ends are kept; ${JSON.stringify(verdict)}` },
    );
    tellAtTheEnd(
      `the only host killed ${KILLS} times under ${DEVICES} devices: ${tally.acknowledged} reports ` +
        `acknowledged, ${tally.unavailable} retried, ${tally.rejected} rejected, ${verdict.lost} lost`,
    );
    expect(verdict).to.deep.equal({
      targets: DEVICES,
      unfinished: 0,
      lost: 0,
      doubled: 0,
      drift: 0,
      early: 0,
      releasedTwice: 0,
    });
    expect(tally.rejected).to.equal(0);
    expect(tally.unavailable, 'devices met a host that was not there').to.be.above(0);
  });
});
